import type { Hypervisor, MachineSpec } from '../lib/hypervisor/hypervisor.ts'
import type { Matrix } from '../lib/spec/validate.ts'
import { exactSize } from '../lib/units/size.ts'
import { each, pairwise } from './pairwise.ts'

/** What of a machine customers have otherwise. */
export type Hardware = Partial<
  Pick<MachineSpec, 'firmware' | 'controller' | 'nic' | 'nics' | 'cpus' | 'memory' | 'clock' | 'enlarge'>
>

/**
 * The hardware that a matrix names, in combinations.
 *
 * @param possible leaves out what cannot boot for a reason that is not the appliance's
 */
export function combinations(
  { combine, scenarios: _, ...choices }: Matrix,
  possible: (hardware: Hardware) => boolean = () => true,
): Hardware[] {
  const given: Record<string, readonly unknown[]> = Object.fromEntries(
    Object.entries(choices).flatMap(([name, values]) => (values?.length ? [[name, values]] : [])),
  )
  if (combine === 'pairwise') return pairwise(given, possible) as Hardware[]
  if (combine === 'each') return (each(given) as Hardware[]).filter(possible)
  return Object.entries(given)
    .reduce<Hardware[]>(
      (all, [name, values]) => all.flatMap((one) => values.map((value) => ({ ...one, [name]: value }))),
      [{}],
    )
    .filter(possible)
}

/**
 * The combinations of a matrix that can be tried with a driver, and what is not tried as it was named, with the reason.
 * Where no controller that the matrix names can be booted from, nor the machine's own, the disk is at AHCI.
 */
export function hardwareToTry(
  matrix: Matrix,
  usual: Pick<MachineSpec, 'firmware' | 'controller'>,
  driver: Pick<Hypervisor, 'unbootable'>,
): { hardware: Hardware[]; remarks: string[] } {
  const remarks = new Set<string>()
  const firmwareOf = ({ firmware }: Hardware) => firmware ?? (matrix.firmware ? undefined : usual.firmware)
  const hardware = combinations(matrix, (one) => {
    const [firmware, controller] = [firmwareOf(one), one.controller]
    const why = firmware && controller && driver.unbootable?.({ firmware, controller })
    if (why) remarks.add(`matrix: ${firmware} with ${controller} is not tried: ${why}`)
    return !why
  }).map((one) => {
    const { firmware, controller, why } = bootable({ ...usual, ...one }, driver)
    if (!why) return one
    remarks.add(`matrix: ${firmware} is tried with the disk at AHCI: ${why}`)
    return { ...one, controller }
  })
  for (const firmware of matrix.firmware ?? [])
    if (!hardware.some((one) => one.firmware === firmware)) {
      remarks.add(`matrix: ${firmware} is tried with the disk at AHCI alone`)
      hardware.push({ firmware, controller: 'ahci' })
    }
  return { hardware, remarks: [...remarks] }
}

/** Where a driver finds the disk of such a machine: at its own controller, or else at AHCI, with the reason. */
export function bootable(
  { firmware, controller }: Pick<MachineSpec, 'firmware' | 'controller'>,
  driver: Pick<Hypervisor, 'unbootable'>,
): Pick<MachineSpec, 'firmware' | 'controller'> & { why?: string } {
  const why = driver.unbootable?.({ firmware, controller })
  return why ? { firmware, controller: 'ahci', why } : { firmware, controller }
}

/** `bios, lsi, e1000, 4 cpus`. */
export function hardwareName(hardware: Hardware): string {
  return Object.entries(hardware)
    .map(([name, value]) => {
      if (name === 'memory' || name === 'enlarge')
        return `${name === 'enlarge' ? 'disk ' : ''}${exactSize(Number(value))}`
      if (name === 'nics' && value === 0) return 'no network'
      return name === 'cpus' || name === 'nics' || name === 'clock' ? `${name} ${value}` : String(value)
    })
    .join(', ')
}
