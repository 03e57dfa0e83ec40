import type { DiskController, MachineSpec } from '../hypervisor.ts'
import { credential, furtherKey } from '../qemu/arguments.ts'

/** What a Vagrantfile is made of. Paths are absolute. */
export interface Hardware {
  spec: Pick<
    MachineSpec,
    'name' | 'cpus' | 'memory' | 'nic' | 'controller' | 'login' | 'readOnlyDisks' | 'dataDisks'
  >
  accel: 'kvm' | 'tcg'
  /** The box's name. */
  box: string
  /** Colon-separated. */
  mac: string
  /** The socket of the libvirtd to use. */
  libvirtd: string
  /** libvirt's network that the machine is plugged into, and its address, as 10.0.0.0/24. */
  network: { name: string; range: string }
  /** Folder for the machine's volumes. */
  pool: string
  /** Where the serial console is written: a file, or a named pipe. */
  serial: string
  /** The socket of QEMU's monitor that is ours; at most 107 bytes. */
  monitor: string
  /** OpenSSH public key for root. */
  publicKey?: string
}

/** The first of the places on the PCI bus for disks of which libvirt knows nothing. */
const PLACES = 0x10

/** Names of buses in libvirt. */
const BUSES: Readonly<Record<DiskController, string | undefined>> = {
  virtio: 'virtio',
  ide: 'ide',
  ahci: 'sata',
  lsi: undefined,
  pvscsi: undefined,
  nvme: undefined,
}

/** What this driver makes no machine of; undefined when it does. */
export function cannotBeMade(spec: MachineSpec): string | undefined {
  const { firmware, controller, nics = 1, moreDisks = [], resume, cd, floppy, clock, enlarge } = spec
  // libvirt remembers no running machine that has UEFI's variables.
  if (firmware === 'uefi') return 'a Vagrant machine of ours boots by BIOS, not by UEFI'
  if (BUSES[controller] === undefined) return `a Vagrant machine of ours has no ${controller} disk controller`
  if (nics !== 1) return `a Vagrant machine of ours has one network card, not ${nics}`
  if (resume) return 'Vagrant cannot go on where another run left a machine'
  const more = { 'further disks': moreDisks.length > 0, 'a CD': cd, 'a floppy disk': floppy }
  const given = Object.entries({ ...more, 'a clock': clock, 'a larger disk': enlarge }).find(([, is]) => is)
  return given ? `a Vagrant machine of ours takes no orders for ${given[0]}` : undefined
}

/**
 * The Vagrantfile of one machine, with the provider libvirt.
 *
 * @see https://developer.hashicorp.com/vagrant/docs/vagrantfile
 * @see https://vagrant-libvirt.github.io/vagrant-libvirt/configuration.html
 */
export function vagrantfile(hardware: Hardware): string {
  const { spec, box, accel, mac, libvirtd, network, pool, serial } = hardware
  const { login } = spec
  const ssh = {
    username: login.user,
    insert_key: false,
    ...(login.key === undefined ? {} : { private_key_path: login.key }),
    ...(login.password === undefined ? {} : { password: login.password }),
    ...(login.port === undefined ? {} : { guest_port: login.port }),
    ...(login.user === 'root' ? { sudo_command: '%c' } : {}),
  }
  const vm = { box, guest: ':linux', boot_timeout: 3600, allow_fstab_modification: false }
  // A processor that an emulator translates must have none of what it cannot (DESIGN §6).
  const processor =
    accel === 'kvm' ? { cpu_mode: 'host-passthrough' } : { cpu_mode: 'custom', cpu_model: 'qemu64' }
  const provider = {
    uri: `qemu:///system?socket=${libvirtd}`,
    driver: accel === 'kvm' ? 'kvm' : 'qemu',
    default_prefix: `${spec.name}-`,
    machine_type: 'pc',
    ...processor,
    cpus: spec.cpus,
    memory: Math.ceil(spec.memory / 2 ** 20),
    disk_bus: BUSES[spec.controller]!,
    nic_model_type: spec.nic,
    graphics_type: 'vnc',
    video_type: 'vga',
    video_vram: 16384,
    memballoon_enabled: false,
    storage_pool_name: 'default',
    storage_pool_path: pool,
    management_network_name: network.name,
    management_network_address: network.range,
    management_network_mac: mac,
    management_network_keep: true,
  }
  return `Vagrant.configure("2") do |config|
${settings('config.vm', vm)}${settings('config.ssh', ssh)}  config.vm.synced_folder ".", "/vagrant", disabled: true
  config.vm.provider :libvirt do |libvirt|
${settings('  libvirt', provider)}    libvirt.serial type: "file", source: { path: ${ruby(serial)} }
${qemuArguments(hardware)
  .map((word) => `    libvirt.qemuargs value: ${ruby(word)}\n`)
  .join('')}  end
end
`
}

/** What libvirt has no words for, or Vagrant none: said to QEMU itself. */
function qemuArguments({ spec, monitor, publicKey }: Hardware): string[] {
  const { readOnlyDisks, dataDisks = [] } = spec
  const drives = [
    ...readOnlyDisks.map((disk, n) => ({ ...disk, id: `tools${n}`, how: ',readonly=on' })),
    ...dataDisks.map((disk, n) => ({ ...disk, id: `data${n}`, how: '' })),
  ]
  return [
    // As an argument of its own, as other drivers have it: whose process it is.
    ...['-name', spec.name],
    ...['-chardev', `socket,id=appliance0,path=${monitor},server=on,wait=off`],
    ...['-mon', 'chardev=appliance0,mode=control'],
    ...(publicKey ? ['-smbios', `type=11,value=${credential(publicKey)}`] : []),
    ...(publicKey && spec.login.besideOthers ? ['-smbios', `type=11,value=${furtherKey(publicKey)}`] : []),
    // At places of its own: libvirt gives others away, counting from below, and knows nothing of these.
    ...drives.flatMap(({ path, serial, id, how }, n) => [
      ...['-drive', `file=${path.replaceAll(',', ',,')},format=raw,if=none,id=${id}${how}`],
      ...['-device', `virtio-blk-pci,drive=${id},serial=${serial},addr=0x${(PLACES + n).toString(16)}`],
    ]),
  ]
}

function settings(on: string, values: Record<string, string | number | boolean>): string {
  return Object.entries(values)
    .map(([key, value]) => `  ${on}.${key} = ${ruby(value)}\n`)
    .join('')
}

/** A literal of Ruby's; what begins with a colon is a symbol. Single quotes interpolate nothing. */
function ruby(value: string | number | boolean): string {
  if (typeof value !== 'string' || /^:\w+$/.test(value)) return String(value)
  return `'${value.replaceAll(/[\\']/g, '\\$&')}'`
}

/** `metadata.json` of the machine's box. @param size bytes that its disk has */
export function boxMetadata(size: number): string {
  return JSON.stringify({ provider: 'libvirt', format: 'qcow2', virtual_size: Math.ceil(size / 2 ** 30) })
}
