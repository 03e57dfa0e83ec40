import type { Spec } from '../spec/spec.ts'

/** Vagrant's providers that a box is made for, by the names under which Vagrant knows them. */
export type Provider = Spec['basebox']['boxes'][number]

/** What a box says about the machine in it. Sizes in bytes. */
export interface BoxMachine {
  cpus: number
  memory: number
  disk: number
  /** Who logs in with Vagrant's insecure key. */
  user: string
  /** For VirtualBox, whose boxes fix it: 12 hex digits. */
  mac: string
}

const GIB = 2 ** 30
const MIB = 2 ** 20

/**
 * `metadata.json` of a box.
 *
 * @see https://developer.hashicorp.com/vagrant/docs/boxes/format (provider, architecture);
 *   https://vagrant-libvirt.github.io/vagrant-libvirt/boxes.html (format, virtual_size: GB, a whole number)
 */
export function metadata(provider: Provider, { disk }: BoxMachine): string {
  const image = provider === 'virtualbox' ? {} : { format: 'qcow2', virtual_size: Math.ceil(disk / GIB) }
  return `${JSON.stringify({ provider, architecture: 'amd64', ...image }, null, 2)}\n`
}

/**
 * The box's own Vagrantfile: what the user's need not say. root needs no sudo, which a minimal machine lacks, so
 * Vagrant runs its commands as they are.
 *
 * @see https://developer.hashicorp.com/vagrant/docs/vagrantfile/ssh_settings
 */
export function vagrantfile(provider: Provider, { cpus, memory, user, mac }: BoxMachine): string {
  const root = user === 'root' ? ['config.ssh.sudo_command = "%c"'] : []
  return block('Vagrant.configure("2") do |config|', [
    `config.ssh.username = ${JSON.stringify(user)}`,
    ...root,
    'config.vm.synced_folder ".", "/vagrant", disabled: true',
    ...settings[provider](cpus, memory / MIB, mac),
  ])
}

const settings: Record<Provider, (cpus: number, mebibytes: number, mac: string) => string[]> = {
  // vagrant-qemu takes boxes of libvirt, and none of its own name (0.7.0, plugin.rb: box_format).
  libvirt: (cpus, memory) => [
    block('config.vm.provider :libvirt do |libvirt|', [
      `libvirt.cpus = ${cpus}`,
      `libvirt.memory = ${memory}`,
      'libvirt.disk_bus = "virtio"',
    ]),
    qemuBlock(cpus, memory),
  ],
  virtualbox: (cpus, memory, mac) => [
    `config.vm.base_mac = ${JSON.stringify(mac)}`,
    block('config.vm.provider :virtualbox do |virtualbox|', [
      `virtualbox.cpus = ${cpus}`,
      `virtualbox.memory = ${memory}`,
    ]),
  ],
  qemu: (cpus, memory) => [qemuBlock(cpus, memory)],
}

function qemuBlock(cpus: number, memory: number): string {
  return block('config.vm.provider :qemu do |qemu|', [
    'qemu.arch = "x86_64"',
    'qemu.machine = "q35,accel=kvm:tcg"',
    'qemu.cpu = "max"', // its own default, host, is for KVM alone
    'qemu.net_device = "virtio-net-pci"',
    `qemu.smp = ${JSON.stringify(String(cpus))}`,
    `qemu.memory = ${JSON.stringify(`${memory}M`)}`,
  ])
}

function block(head: string, lines: readonly string[]): string {
  const inner = lines.flatMap((line) => line.trimEnd().split('\n')).map((line) => `  ${line}\n`)
  return `${head}\n${inner.join('')}end\n`
}
