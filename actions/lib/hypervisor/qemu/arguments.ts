import type { Firmware, MachineSpec, NicModel } from '../hypervisor.ts'

/** Everything QEMU's command line depends on. Paths are absolute. */
export interface Hardware {
  spec: Pick<
    MachineSpec,
    | 'name'
    | 'cpus'
    | 'memory'
    | 'firmware'
    | 'nic'
    | 'nics'
    | 'controller'
    | 'readOnlyDisks'
    | 'dataDisks'
    | 'clock'
    | 'overlay'
    | 'throwAway'
    | 'cd'
    | 'floppy'
  >
  accel: 'kvm' | 'tcg'
  /** QEMU's major version. */
  version: number
  /** The disk that is written to: the spec's own, or the overlay over it. */
  disk: { path: string; format: string }
  /** The same of each further disk. */
  moreDisks?: readonly { path: string; format: string }[]
  mac: string
  /** The plug's `-netdev`, with id `net0`. */
  netdev: readonly string[]
  /** Further cards: their MACs, and `-netdev`s with the ids `net1` and so on. */
  moreNics?: readonly { mac: string; netdev: readonly string[] }[]
  /** A second serial port: its socket. */
  line?: string
  /** UEFI's code and the machine's own variables (qcow2). */
  uefi?: { code: string; variables: string }
  /** Waits to be told where a saved machine is, instead of booting. */
  resumes?: boolean
  /** The public key root is to let in, as one line. */
  publicKey?: string
  /** See {@link Login.besideOthers}. */
  besideOthers?: boolean
  /** The monitor's socket; at most 107 bytes. */
  monitor: string
}

/**
 * QEMU's arguments for a machine. Pure.
 *
 * @see qemu(1); https://www.qemu.org/docs/master/system/invocation.html
 */
export function qemuArguments(hardware: Hardware): string[] {
  const { spec, monitor, publicKey } = hardware
  const netdev = recordable(hardware, hardware.netdev)
  return [
    ['-name', value(spec.name)],
    ['-nodefaults', '-no-user-config'],
    sandbox(netdev),
    machine(hardware),
    processor(hardware.accel, hardware.version),
    ['-smp', `cpus=${spec.cpus},sockets=1,cores=${spec.cpus}`],
    ['-m', `${Math.ceil(spec.memory / 2 ** 20)}M`],
    ['-rtc', `base=${spec.clock ?? 'utc'},clock=host`],
    ['-display', 'none', '-vga', 'std'],
    ['-object', 'rng-random,id=rng0,filename=/dev/urandom', '-device', 'virtio-rng-pci,rng=rng0'],
    disks(hardware),
    // Without its boot ROM: an appliance starts from its disk, and looking for a boot server takes seconds.
    [...netdev, ...card(hardware)],
    ...(hardware.moreNics ?? []).map((more, index) => [
      ...recordable(hardware, more.netdev),
      '-device',
      `${nicDevices[spec.nic]},netdev=net${index + 1},mac=${more.mac},romfile=`,
    ]),
    // Its console comes out of QEMU's own: what is kept of it is for whoever started QEMU to say.
    ['-chardev', 'stdio,id=serial0,signal=off', '-serial', 'chardev:serial0'],
    hardware.line
      ? [
          '-chardev',
          `socket,id=line0,path=${value(hardware.line)},server=on,wait=off`,
          '-serial',
          'chardev:line0',
        ]
      : [],
    [
      '-chardev',
      `socket,id=qmp0,path=${value(monitor)},server=on,wait=off`,
      '-mon',
      'chardev=qmp0,mode=control',
    ],
    hardware.resumes ? ['-incoming', 'defer'] : [],
    publicKey ? handedIn(credential(publicKey)) : [],
    publicKey && hardware.besideOthers ? handedIn(furtherKey(publicKey)) : [],
  ].flat()
}

/**
 * QEMU 7.2 records with each packet the header that a tap device may have for virtio's, and what reads the record takes it
 * for the packet's beginning. Machines that are tried are recorded; the others may have it, they are quicker with it.
 */
function recordable({ spec }: Hardware, netdev: readonly string[]): string[] {
  return netdev.map((word) => (spec.throwAway && word.startsWith('tap,') ? `${word},vnet_hdr=off` : word))
}

/** The card, or the place for one that is put into the running machine: a PC's first bus has places, a Q35's has not. */
function card({ spec, mac }: Hardware): string[] {
  if (spec.nics !== 0) return ['-device', `${nicDevices[spec.nic]},netdev=net0,mac=${mac},romfile=`]
  return spec.firmware === 'uefi' ? ['-device', `pcie-root-port,id=${CARD_PLACE},chassis=1`] : []
}

/** Where a Q35's card goes. */
export const CARD_PLACE = 'place0'

export const nicDevices: Record<NicModel, string> = {
  virtio: 'virtio-net-pci',
  e1000: 'e1000',
  e1000e: 'e1000e',
  vmxnet3: 'vmxnet3',
  pcnet: 'pcnet',
}

/** `pc` is what BIOS systems know best; OVMF wants the newer chipset. */
const machines: Record<Firmware, string> = { bios: 'pc', uefi: 'q35,smm=off' }

function machine({ spec, uefi }: Hardware): string[] {
  const machine = ['-machine', machines[spec.firmware]]
  if (!uefi) return machine
  return [
    ...machine,
    ...['-drive', `if=pflash,unit=0,format=raw,readonly=on,file=${value(uefi.code)}`],
    // qcow2, not raw: a machine with raw variables cannot be remembered (savevm).
    ...['-drive', `if=pflash,unit=1,format=qcow2,file=${value(uefi.variables)}`],
  ]
}

/** @param version QEMU's major one */
export function processor(accel: 'kvm' | 'tcg', version: number): string[] {
  if (accel === 'kvm') return ['-accel', 'kvm', '-cpu', 'host']
  // QEMU before 8 translates CMPXCHG16B so that Linux 6.12 and later panic (DESIGN §6).
  return ['-accel', 'tcg,thread=multi,tb-size=512', '-cpu', version < 8 ? 'max,cx16=off' : 'max']
}

/** Build machines and copies of disks: a host that crashes means building again, so nothing is flushed. */
const CACHE = 'cache=unsafe,discard=unmap,detect-zeroes=unmap'

function disks({ spec, disk, moreDisks = [] }: Hardware): string[] {
  const { dataDisks = [], readOnlyDisks, controller: kind, cd, floppy } = spec
  // A machine with other hardware may go on with the disk of one that is off, yet still there.
  const locking = spec.overlay ? ',file.locking=off' : ''
  const writable = [disk, ...moreDisks]
  const drives = writable.flatMap(({ path, format }, index) => [
    '-drive',
    `file=${value(path)},format=${format},if=none,id=disk${index},${CACHE}${locking}`,
  ])
  const data = dataDisks.flatMap(({ path, serial }, index) => [
    ...['-drive', `file=${value(path)},format=raw,if=none,id=data${index},${CACHE}${locking}`],
    ...['-device', `virtio-blk-pci,drive=data${index},serial=${value(serial)}`],
  ])
  const tools = readOnlyDisks.flatMap(({ path, serial }, index) => [
    ...['-drive', `file=${value(path)},format=raw,if=none,id=tools${index},readonly=on`],
    ...['-device', `virtio-blk-pci,drive=tools${index},serial=${value(serial)}`],
  ])
  return [...drives, ...controller(kind, writable.length), ...removable({ cd, floppy }), ...tools, ...data]
}

/** Drives a person puts something into. The disk comes first when booting: once it can be, the CD need not be ejected. */
function removable({ cd, floppy }: { cd: string | undefined; floppy: string | undefined }): string[] {
  const drive = (path: string, id: string) => `file=${value(path)},format=raw,if=none,id=${id},readonly=on`
  return [
    ...(cd ? ['-drive', `${drive(cd, 'cd0')},media=cdrom`] : []),
    ...(cd ? ['-device', 'ide-cd,bus=ide.1,unit=0,drive=cd0,bootindex=2'] : []),
    ...(floppy ? ['-drive', drive(floppy, 'floppy0'), '-device', 'floppy,drive=floppy0'] : []),
  ]
}

/**
 * What a disk at the emulated LSI 53C895A says it is: one to which Linux sends a single command at a time (BLIST_NOTQ in
 * drivers/scsi/scsi_devinfo.c). With several, QEMU loses its place now and then when one reconnects while others wait ("No
 * MSG IN phase after reselection"): the disk stands still for over a minute, and what waits for it fails.
 */
const UNTAGGED = 'vendor=MICROP,product=4110'

/** The disk controller with `count` disks at it. IDE has places for three, beside the CD. */
function controller(kind: MachineSpec['controller'], count: number): string[] {
  const bus = { ahci: 'ahci', lsi: 'lsi53c895a', pvscsi: 'pvscsi' }[kind as string]
  const device = (index: number) => {
    const drive = `drive=disk${index},bootindex=${index === 0 ? 1 : index + 2}`
    switch (kind) {
      case 'virtio':
        return `virtio-blk-pci,${drive}`
      case 'nvme':
        return `nvme,serial=appliance${index || ''},${drive}`
      case 'ide':
        return `ide-hd,bus=ide.${index === 2 ? 1 : 0},unit=${index === 0 ? 0 : 1},${drive}`
      case 'ahci':
        return `ide-hd,bus=bus0.${index},${drive}`
      case 'lsi':
        return `scsi-hd,bus=bus0.0,scsi-id=${index},${UNTAGGED},${drive}`
      case 'pvscsi':
        return `scsi-hd,bus=bus0.0,scsi-id=${index},${drive}`
    }
  }
  const devices = Array.from({ length: count }, (_, index) => ['-device', device(index)]).flat()
  return bus ? ['-device', `${bus},id=bus0`, ...devices] : devices
}

/**
 * The system credential from which systemd ≥ 252 makes root's authorized_keys, if there is none.
 *
 * @see systemd.system-credentials(7) ssh.authorized_keys.root; https://systemd.io/CREDENTIALS/
 */
export function credential(publicKey: string): string {
  return `io.systemd.credential.binary:ssh.authorized_keys.root=${Buffer.from(`${publicKey.trim()}\n`).toString('base64')}`
}

/**
 * The system credential from which systemd ≥ 252 adds a line to root's authorized_keys where the disk has one already: an
 * appliance may be shipped with its owner's key, and is to be tried all the same. For machines that are thrown away.
 *
 * @see systemd-tmpfiles(8) tmpfiles.extra; tmpfiles.d(5) w+
 */
export function furtherKey(publicKey: string): string {
  const [type, blob] = publicKey.trim().split(/\s+/)
  const line = `w+ /root/.ssh/authorized_keys - - - - \\n${type} ${blob}\\n\n`
  return `io.systemd.credential.binary:tmpfiles.extra=${Buffer.from(line).toString('base64')}`
}

const handedIn = (value: string) => ['-smbios', `type=11,value=${value}`]

/**
 * The emulator has no business with other programs or privileges. Only the user network's relay is a program of
 * its own, which would inherit the sandbox and die of it.
 */
function sandbox(netdev: readonly string[]): string[] {
  if (netdev.some((word) => word.includes('-cmd:'))) return []
  return ['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny']
}

/** A comma inside a value is doubled. @see qemu(1) */
function value(text: string): string {
  return text.replaceAll(',', ',,')
}
