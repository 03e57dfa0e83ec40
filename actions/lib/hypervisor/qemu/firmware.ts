import { join } from 'node:path'
import { ApplianceError } from '../../errors/error.ts'
import { exists } from '../../files/exists.ts'
import { run } from '../../process/command.ts'
import type { MachineSpec } from '../hypervisor.ts'

/** Where distributions put OVMF, the best first; code and variables must be of one size. */
const places = [
  ['/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_VARS_4M.fd'],
  ['/usr/share/OVMF/OVMF_CODE.fd', '/usr/share/OVMF/OVMF_VARS.fd'],
  ['/usr/share/edk2/ovmf/OVMF_CODE.fd', '/usr/share/edk2/ovmf/OVMF_VARS.fd'],
  ['/usr/share/edk2/x64/OVMF_CODE.4m.fd', '/usr/share/edk2/x64/OVMF_VARS.4m.fd'],
] as const

/**
 * Why a machine so made would find no disk to boot from, or undefined. Debian's OVMF is built without drivers for the
 * SCSI controllers that VMware has (OvmfPkg's LSI_SCSI_ENABLE, PVSCSI_ENABLE): its shell says "No mapping found".
 */
export function blindness({ firmware, controller }: Pick<MachineSpec, 'firmware' | 'controller'>) {
  return firmware === 'uefi' && (controller === 'lsi' || controller === 'pvscsi')
    ? `QEMU's UEFI firmware finds no disk at a controller of kind ${controller}`
    : undefined
}

/** UEFI for one machine: the code as installed, and fresh variables of its own, as qcow2 in `folder`. */
export async function uefiFirmware(folder: string): Promise<{ code: string; variables: string }> {
  for (const [code, template] of places) {
    if (!(await exists(code)) || !(await exists(template))) continue
    const variables = join(folder, 'uefi-variables.qcow2')
    await run('qemu-img', ['convert', '-q', '-f', 'raw', '-O', 'qcow2', template, variables])
    return { code, variables }
  }
  throw new ApplianceError(
    'missing-tool',
    `UEFI firmware is not installed on this computer (${places[0][0]})`,
    {
      hint: 'apt-get install ovmf',
    },
  )
}
