import { readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { sha256 } from '../lib/files/digest.ts'
import { buildKey } from '../lib/guest/key.ts'
import { chooseAccel } from '../lib/hypervisor/accel.ts'
import type { MachineSpec, SavedMachine } from '../lib/hypervisor/hypervisor.ts'
import { versionsOf } from '../lib/process/version.ts'
import type { StageWork } from '../lib/stage/stage.ts'

type Work = Pick<StageWork, 'project' | 'outDirectory' | 'network'>

const NAME = 'provision'

/** The machine in which the steps run: it writes to the disk itself, and has the tools disk beside it. */
export async function provisioningMachine(
  { project, outDirectory }: Work,
  disk: string,
  tools: { path: string; serial: string },
  resume?: SavedMachine,
): Promise<MachineSpec> {
  const { spec, buildDirectory } = project
  return {
    name: NAME,
    disk: { path: disk, format: 'qcow2' },
    throwAway: false,
    cpus: spec.basebox.cpus,
    memory: spec.basebox.memory,
    firmware: 'bios',
    nic: 'virtio',
    controller: 'virtio',
    readOnlyDisks: [tools],
    login: { user: 'root', key: await buildKey(buildDirectory), credential: true },
    evidence: join(outDirectory, 'evidence'),
    accel: spec.accel,
    ...(resume ? { resume } : {}),
  }
}

/** Where the machine's serial console is written. */
export function serialConsole({ outDirectory }: Pick<Work, 'outDirectory'>): string {
  return join(outDirectory, 'evidence', `${NAME}-serial.log`)
}

/**
 * What has to be the same for a machine's memory to be gone on with: QEMU, the processor it shows, the machine's size
 * and what is plugged into it.
 */
export async function machineFits(
  { project, network }: Work,
  tools: { path: string },
): Promise<Record<string, string>> {
  const { accel } = await chooseAccel(project.spec.accel)
  const { 'qemu-system-x86_64': qemu } = await versionsOf('qemu-system-x86_64')
  const { cpus, memory } = project.spec.basebox
  return {
    QEMU: qemu ?? '',
    accel,
    // A translated processor is the same everywhere; a real one is shown as it is.
    processor: accel === 'kvm' ? sha256(await processorFlags()) : '',
    size: `${cpus} ${memory}`,
    // Its folder is named after what it is made of, the file after how.
    tools: join(basename(dirname(tools.path)), basename(tools.path)),
    network: network().kind,
  }
}

async function processorFlags(): Promise<string> {
  const lines = (await readFile('/proc/cpuinfo', 'utf8')).split('\n')
  return lines
    .filter((line) => /^(model name|flags|microcode)\s/.test(line))
    .slice(0, 3)
    .join('\n')
}
