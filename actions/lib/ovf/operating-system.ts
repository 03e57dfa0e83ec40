/** `ID` of os-release(5) as far as importers tell them apart. */
export const guestSystems = [
  'debian',
  'ubuntu',
  'rhel',
  'centos',
  'rocky',
  'almalinux',
  'fedora',
  'linux',
] as const
export type GuestSystem = (typeof guestSystems)[number]

export interface OperatingSystem {
  /** CIM_OperatingSystem.OSType (DSP0243 1.1.0, section 9.8). */
  id: number
  name: string
  /** VMware's own word. */
  osType: string
}

/** VMware's word for a system, and the machine version from which its hosts know it. */
interface Known {
  osType: string
  /** N of vmx-N: 13 is ESXi 6.5, 14 6.7, 17 7.0, 18 7.0 U1, 20 8.0, 22 9.0. */
  since: number
}

/** For whatever has no word of its own, or one that is too new; newest first. */
const others: readonly Known[] = [
  { osType: 'other6xLinux64Guest', since: 20 },
  { osType: 'other5xLinux64Guest', since: 18 },
  { osType: 'other4xLinux64Guest', since: 14 },
  { osType: 'other3xLinux64Guest', since: 0 },
]

const systems: Record<GuestSystem, { id: number; name: string; known: Record<string, Known> }> = {
  debian: {
    id: 96,
    name: 'Debian GNU/Linux (64-bit)',
    known: {
      10: { osType: 'debian10_64Guest', since: 13 },
      11: { osType: 'debian11_64Guest', since: 17 },
      12: { osType: 'debian12_64Guest', since: 20 },
      13: { osType: 'debian13_64Guest', since: 22 },
    },
  },
  ubuntu: {
    id: 94,
    name: 'Ubuntu Linux (64-bit)',
    known: { '': { osType: 'ubuntu64Guest', since: 0 } },
  },
  rhel: {
    id: 80,
    name: 'Red Hat Enterprise Linux (64-bit)',
    known: {
      7: { osType: 'rhel7_64Guest', since: 0 },
      8: { osType: 'rhel8_64Guest', since: 14 },
      9: { osType: 'rhel9_64Guest', since: 18 },
      10: { osType: 'rhel10_64Guest', since: 22 },
    },
  },
  centos: {
    id: 107,
    name: 'CentOS (64-bit)',
    known: {
      7: { osType: 'centos7_64Guest', since: 13 },
      8: { osType: 'centos8_64Guest', since: 14 },
      9: { osType: 'centos9_64Guest', since: 18 },
    },
  },
  rocky: {
    id: 101,
    name: 'Rocky Linux (64-bit)',
    known: { '': { osType: 'rockylinux_64Guest', since: 20 } },
  },
  almalinux: {
    id: 101,
    name: 'AlmaLinux (64-bit)',
    known: { '': { osType: 'almalinux_64Guest', since: 20 } },
  },
  fedora: { id: 101, name: 'Fedora Linux (64-bit)', known: { '': { osType: 'fedora64Guest', since: 0 } } },
  linux: { id: 101, name: 'Linux (64-bit)', known: {} },
}

/**
 * What importers are told of a guest's system. VMware's word for it is one that every host knows which can run a
 * machine of that version: older ones refuse a newer word.
 *
 * @param version `VERSION_ID` of os-release(5); its first number counts
 * @param hardware N of vmx-N
 * @see vSphere API, VirtualMachineGuestOsIdentifier, which says since when each is known
 */
export function operatingSystem(
  system: GuestSystem,
  version: string | undefined,
  hardware: number,
): OperatingSystem {
  const { id, name, known } = systems[system]
  const own = known[version?.split('.')[0] ?? ''] ?? known['']
  const told = own && own.since <= hardware ? own : others.find(({ since }) => since <= hardware)!
  return { id, name, osType: told.osType }
}
