import type { Console } from '../console/console.ts'
import type { Guest } from '../guest/guest.ts'

export type Firmware = 'bios' | 'uefi'
export type NicModel = 'virtio' | 'e1000' | 'e1000e' | 'vmxnet3' | 'pcnet'
export type DiskController = 'virtio' | 'ide' | 'ahci' | 'lsi' | 'pvscsi' | 'nvme'

export interface DiskImage {
  path: string
  format: 'qcow2' | 'raw' | 'vmdk'
}

/** What a machine is made of. Paths are absolute, sizes in bytes. */
export interface MachineSpec {
  /** For messages and evidence, e.g. `validate`. */
  name: string
  disk: DiskImage
  /** true: everything written goes to an overlay that is deleted with the machine. */
  throwAway: boolean
  cpus: number
  memory: number
  firmware: Firmware
  nic: NicModel
  controller: DiskController
  /** Colon-separated; a fixed one of the driver's by default. */
  mac?: string
  /** Further raw disks, read-only, found in the guest as /dev/disk/by-id/*SERIAL*. */
  readOnlyDisks: { path: string; serial: string }[]
  /** Further disks at the same controller, thrown away or kept as the first one is. */
  moreDisks?: DiskImage[]
  /** Further disks that are written to, raw, found in the guest as /dev/disk/by-id/virtio-SERIAL. */
  dataDisks?: { path: string; serial: string }[]
  /** Network cards, 1 by default. Without any, a card is put in for a moment whenever a command line is opened. */
  nics?: number
  /** What the hardware clock says when it is switched on, e.g. `2031-01-01T00:00:00`; the host's time by default. */
  clock?: string
  /**
   * Of a machine whose disk is thrown away: where the overlay goes, which then is the caller's to delete; those of further
   * disks go beside it ({@link overlaysOf}).
   */
  overlay?: string
  /** The disk as large as this, where it is smaller; for machines whose disk is thrown away. */
  enlarge?: number
  /** An ISO image in a CD drive; booted from where the disk cannot be. */
  cd?: string
  /** A floppy disk's image, raw. */
  floppy?: string
  login: Login
  /** Folder for serial console, screenshots and the like; the driver creates it. */
  evidence: string
  accel: Accel
  /** Instead of booting, goes on where {@link Machine.checkpoint} left off; all else must be as it was then. */
  resume?: SavedMachine
}

/** A running machine at rest: what it consists of besides its disk. */
export interface SavedMachine {
  /** File. */
  memory: string
  address: string
  mac: string
}

export type Accel = 'auto' | 'kvm' | 'tcg'

/** How we get in. `key` is handed to the guest by SMBIOS credential (systemd ≥ 252) and allows root. */
export interface Login {
  user: string
  /** Private key file (OpenSSH format); its `.pub` lies beside it. Needed but for a password. */
  key?: string
  /** Instead of a key. */
  password?: string
  /** Of the SSH server in the guest; 22 by default. */
  port?: number
  /** The guest's SSH server may be an old one: methods that are no longer thought safe will do. */
  old?: boolean
  /** Hand `key` to the guest by SMBIOS (default), or expect it to be known there already. */
  credential: boolean
  /** The disk may have keys of root's already, which a credential leaves as they are: add it to them. */
  besideOthers?: boolean
}

/** Why a driver cannot work on this computer, and what installs or permits it. */
export interface Problem {
  what: string
  remedy: string
}

/** What only some drivers can do; a step that needs what the chosen one lacks is refused before anything boots. */
export type Capability = 'power' | 'console' | 'cable' | 'hardware'

export interface Hypervisor {
  readonly name: string
  readonly can: readonly Capability[]
  preflight(): Promise<Problem[]>
  /** Why this driver's machines cannot boot from such a disk, whatever is on it; undefined where they can. */
  unbootable?(spec: Pick<MachineSpec, 'firmware' | 'controller'>): string | undefined
  /** Starts a machine; resolves as soon as it runs, long before the guest answers. */
  boot(spec: MachineSpec, signal: AbortSignal): Promise<Machine>
}

/** One running machine. Disposing of it kills it and removes what was temporary. */
export interface Machine extends AsyncDisposable {
  /**
   * Waits until the guest answers over SSH and gives it. `no-answer` after `patience` ms (default 10 min), with
   * the last screen and the serial console as evidence.
   */
  guest(signal: AbortSignal, patience?: number): Promise<Guest>
  /** The guest's address as seen from our side, once it has one. */
  address(signal: AbortSignal): Promise<string>
  /** Where a TCP port of the guest is reached (with `network: user`, a forward on the loopback). */
  reach(port: number): Promise<Endpoint>
  /** Writes the screen as PNG; the folder is made. */
  screenshot(path: string): Promise<void>
  /** The machine's own keyboard and screen. */
  readonly console: Console
  /** Remembers the running machine, memory and disks, under `name`. Needs `throwAway`. */
  snapshot(name: string): Promise<void>
  /** Returns the machine to a snapshot, running, its clock set right; connections of before are gone. */
  rollback(name: string, signal: AbortSignal): Promise<void>
  /** Says that the guest was told to restart: nobody may look into what it is until it has. */
  restarts?(): void
  /**
   * Freezes the disk: what was written until now stays in its file, and what is written from now on goes to `next`, a
   * qcow2 of the caller's over it. With `memory`, the running machine itself is written to that file, for
   * {@link MachineSpec.resume}. Not for a machine whose disk is thrown away.
   */
  checkpoint(next: string, memory?: string): Promise<SavedMachine | undefined>
  /**
   * Asks the guest to power off and waits; kills it after `patience` ms (default 3 min) and says so (false).
   *
   * @param ask how to ask it; one that does not obey within half of the time is asked again, by its power button
   */
  shutdown(signal: AbortSignal, patience?: number, ask?: () => Promise<void>): Promise<boolean>
  /** Files that show what happened so far (serial console, QEMU's own words); absolute paths. */
  readonly evidence: string[]
  /** Bytes of its serial console that its log has no room for. */
  readonly unlogged?: number
  /** Where the driver can (`power`): the machine stays, disk and snapshots with it, while it is off. */
  readonly power?: Power
  /** Where the driver can (`cable`). */
  readonly cable?: Cable
  /** A command line into the guest that does not need the network; the guest must be reachable when it is made. */
  line?(guest: Guest, signal: AbortSignal): Promise<Guest>
}

/** The machine's switch. */
export interface Power {
  /** Asks the guest to shut down and waits; false: it did not within `patience` ms, and runs on. */
  off(signal: AbortSignal, patience?: number): Promise<boolean>
  /** What was not written to the disk by now never will be. */
  cut(): Promise<void>
  on(): Promise<void>
}

/** The network cable. A rollback plugs it in. */
export interface Cable {
  plug(connected: boolean): Promise<void>
  /** Holds back what is sent and received for up to so many milliseconds; 0: no longer. */
  delay(ms: number): Promise<void>
  /** Records the beginning of every packet to a file (pcap), until the next call; undefined: no longer. */
  record(path: string | undefined): Promise<void>
}

export interface Endpoint {
  host: string
  port: number
  /** false where an accepted connection proves nothing (QEMU's user network accepts before it asks the guest). */
  connectionProves: boolean
}

/** Where the overlays of all disks of a machine go that is thrown away; undefined where that is the driver's to say. */
export function overlaysOf({
  overlay,
  moreDisks = [],
}: Pick<MachineSpec, 'overlay' | 'moreDisks'>): string[] | undefined {
  if (overlay === undefined) return undefined
  const stem = overlay.replace(/\.qcow2$/, '')
  return [overlay, ...moreDisks.map((_, index) => `${stem}-disk-${index + 2}.qcow2`)]
}
