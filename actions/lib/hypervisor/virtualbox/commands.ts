import type { DiskController, MachineSpec, NicModel } from '../hypervisor.ts'

/** What VBoxManage's command lines are made of. Paths are absolute. */
export interface Hardware {
  spec: Pick<MachineSpec, 'name' | 'cpus' | 'memory' | 'firmware' | 'nic' | 'controller' | 'cd' | 'floppy'>
  /** Folder for the machine's own files. */
  folder: string
  /** Disks in VirtualBox's formats: the first is booted from. */
  disks: readonly { path: string; readOnly: boolean; serial?: string }[]
  /** Colon-separated. */
  mac: string
  /** UDP ports on the loopback: frames leave the machine to `to` and come in at `from`. */
  tunnel: { from: number; to: number }
  /** Where the serial console is written. */
  serial: string
  /** OpenSSH public key for root. */
  publicKey?: string
}

const NICS: Readonly<Record<NicModel, string | undefined>> = {
  virtio: 'virtio',
  e1000: '82540EM',
  e1000e: undefined,
  pcnet: 'Am79C973',
  vmxnet3: undefined,
}

/** Kind of bus and the controller on it (VBoxManage storagectl). */
const CONTROLLERS: Readonly<Record<DiskController, [string, string] | undefined>> = {
  virtio: ['virtio', 'VirtIO'],
  ide: ['ide', 'PIIX4'],
  ahci: ['sata', 'IntelAhci'],
  lsi: ['scsi', 'LsiLogic'],
  nvme: ['pcie', 'NVMe'],
  pvscsi: undefined,
}

/** What VirtualBox has no such hardware for; undefined when it can be made. */
export function cannotBeMade({
  nic,
  controller,
  resume,
  accel,
  cd,
  moreDisks = [],
  readOnlyDisks,
}: Pick<MachineSpec, 'nic' | 'controller' | 'resume' | 'accel' | 'cd' | 'moreDisks' | 'readOnlyDisks'>):
  | string
  | undefined {
  const disks = 1 + moreDisks.length + readOnlyDisks.length
  if (NICS[nic] === undefined) return `VirtualBox has no ${nic} network card`
  if (CONTROLLERS[controller] === undefined) return `VirtualBox has no ${controller} disk controller`
  if (resume) return 'VirtualBox cannot go on where another run left a machine'
  if (controller === 'ide' && disks > (cd ? 2 : 4)) return `an IDE controller has no place for ${disks} disks`
  if (accel === 'tcg') return 'VirtualBox emulates no processors: accel: tcg is for QEMU'
  return undefined
}

/**
 * The commands that make a machine, in order; each is the arguments of one VBoxManage.
 *
 * @see VirtualBox user manual, chapter 8: createvm, modifyvm, storagectl, storageattach, setextradata
 */
export function creating(hardware: Hardware): string[][] {
  const { spec, folder, mac, tunnel, serial, publicKey } = hardware
  const { name } = spec
  const modify = {
    cpus: String(spec.cpus),
    memory: String(Math.ceil(spec.memory / 2 ** 20)),
    vram: '16',
    firmware: spec.firmware === 'uefi' ? 'efi64' : 'bios',
    ioapic: 'on',
    'rtc-use-utc': 'on',
    graphicscontroller: 'vboxvga',
    boot1: 'disk',
    boot2: spec.cd ? 'dvd' : 'none',
    boot3: 'none',
    boot4: 'none',
    'audio-enabled': 'off',
    'usb-ohci': 'off',
    mouse: 'ps2',
    nic1: 'generic',
    'nic-generic-drv1': 'UDPTunnel',
    'nic-type1': NICS[spec.nic]!,
    'mac-address1': mac.replaceAll(':', '').toUpperCase(),
  }
  const uart = ['--uart1', '0x3F8', '4', '--uart-mode1', 'file', serial]
  const properties = { dest: '127.0.0.1', dport: tunnel.to, sport: tunnel.from }
  return [
    ['createvm', '--name', name, '--ostype', 'Linux26_64', '--basefolder', folder, '--register'],
    ['modifyvm', name, ...Object.entries(modify).flatMap(([key, value]) => [`--${key}`, value]), ...uart],
    ...Object.entries(properties).map(([key, value]) => [
      'modifyvm',
      name,
      '--nic-property1',
      `${key}=${value}`,
    ]),
    ...(publicKey ? [oemString(name, publicKey)] : []),
    ...storage(hardware),
  ]
}

/**
 * The first of the SMBIOS OEM strings (type 11), from which systemd 252 and later make root's authorized_keys. VirtualBox
 * gives these tables little room, so the key goes as it is, without its comment.
 *
 * @see VirtualBox user manual, "Configuring the Custom DMI Information"; systemd.system-credentials(7)
 */
function oemString(name: string, publicKey: string): string[] {
  const key = publicKey.trim().split(' ').slice(0, 2).join(' ')
  const value = `io.systemd.credential:ssh.authorized_keys.root=${key}`
  return ['setextradata', name, 'VBoxInternal/Devices/pcbios/0/Config/DmiOEMVBoxVer', value]
}

function storage({ spec, disks }: Hardware): string[][] {
  const { name, controller, cd, floppy } = spec
  const [bus, kind] = CONTROLLERS[controller]!
  const controllerOf = (to: string, add: string, more: string[], bootable: string) => [
    ...['storagectl', name, '--name', to, '--add', add, ...more, '--bootable', bootable],
  ]
  const attach = (to: string, [port, device]: Slot, type: string, medium: string, more: string[] = []) => [
    ...['storageattach', name, '--storagectl', to, '--port', String(port), '--device', String(device)],
    ...['--type', type, '--medium', medium, ...more],
  ]
  // There is one IDE controller at most, of two ports with two devices each; SCSI has sixteen ports, whatever is asked.
  const slot = (n: number): Slot => (bus === 'ide' ? [n >> 1, n & 1] : [n, 0])
  const count = bus === 'ide' || bus === 'scsi' ? [] : ['--portcount', String(disks.length)]
  const cdOn = bus === 'ide' ? 'disks' : 'cd'
  return [
    controllerOf('disks', bus, ['--controller', kind, ...count], 'on'),
    ...disks.map(({ path, readOnly }, n) =>
      attach('disks', slot(n), 'hdd', path, readOnly ? ['--mtype', 'immutable'] : []),
    ),
    ...disks.flatMap(({ serial }, n) => (serial ? [serialNumber(name, controller, n, serial)] : [])),
    ...(cd && cdOn === 'cd' ? [controllerOf('cd', 'ide', ['--controller', 'PIIX4'], 'on')] : []),
    ...(cd ? [attach(cdOn, [1, 0], 'dvddrive', cd)] : []),
    ...(floppy ? [controllerOf('floppy', 'floppy', [], 'off'), attach('floppy', [0, 0], 'fdd', floppy)] : []),
  ]
}

type Slot = [port: number, device: number]

/** By which the guest finds a disk under /dev/disk/by-id. @see VirtualBox user manual, "Configuring the Hard Disk Vendor Product Data" */
function serialNumber(name: string, controller: DiskController, port: number, serial: string): string[] {
  const device = controller === 'ahci' ? `ahci/0/Config/Port${port}` : `${controller}/0/Config/Port${port}`
  return ['setextradata', name, `VBoxInternal/Devices/${device}/SerialNumber`, serial]
}

/** A snapshot of the running machine, memory and all. */
export function taking(name: string, snapshot: string): string[] {
  return ['snapshot', name, 'take', snapshot, '--live']
}

/** Back to it: the machine is off before, and runs afterwards. */
export function restoring(name: string, snapshot: string): string[][] {
  return [
    ['controlvm', name, 'poweroff'],
    ['snapshot', name, 'restore', snapshot],
  ]
}

/** Frames between VirtualBox' tunnel and a tap device that is there already. @see socat(1) TUN, UDP-DATAGRAM */
export function tunnelArguments(tap: string, { from, to }: Hardware['tunnel']): string[] {
  return [
    '-T0',
    `UDP-DATAGRAM:127.0.0.1:${from},bind=127.0.0.1:${to}`,
    `TUN,tun-name=${tap},tun-type=tap,iff-no-pi,iff-up`,
  ]
}

/** The tap device of QEMU's `-netdev`; undefined for another kind of network. */
export function tapOf(netdev: readonly string[]): string | undefined {
  return netdev.map((word) => /^tap,.*\bifname=([\w.-]+)/.exec(word)?.[1]).find(Boolean)
}
