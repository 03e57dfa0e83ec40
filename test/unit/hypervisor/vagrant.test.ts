import { expect, test } from '@jest/globals'
import type { MachineSpec } from '../../../actions/lib/hypervisor/hypervisor.ts'
import {
  boxMetadata,
  cannotBeMade,
  vagrantfile,
} from '../../../actions/lib/hypervisor/vagrant/vagrantfile.ts'

const spec: MachineSpec = {
  name: 'validate',
  disk: { path: '/build/disk.qcow2', format: 'qcow2' },
  throwAway: true,
  cpus: 2,
  memory: 1 << 30,
  firmware: 'bios',
  nic: 'e1000',
  controller: 'ahci',
  readOnlyDisks: [{ path: '/build/tools, first.img', serial: 'tools' }],
  login: { user: 'root', key: "/home/o'neill/build/key/id", credential: true },
  evidence: '/build/evidence',
  accel: 'auto',
}
const hardware = {
  spec,
  accel: 'tcg' as const,
  box: 'appliance/machine',
  mac: '52:54:00:77:00:10',
  libvirtd: '/tmp/vm/libvirt-sock',
  network: { name: 'appliance', range: '10.77.0.0/24' },
  pool: '/work/pool',
  serial: '/build/evidence/validate-serial.log',
  monitor: '/tmp/vm/qmp',
  publicKey: 'ssh-ed25519 AAAA build',
}

test('the Vagrantfile of a machine', () => {
  expect(vagrantfile(hardware)).toMatchSnapshot()
})

test('others log in as the spec says, and with KVM the processor is the real one', () => {
  const login = { user: 'admin', password: '#{`id`}\\', port: 2222, credential: false }
  const { publicKey: _, ...rest } = hardware
  const text = vagrantfile({ ...rest, accel: 'kvm', spec: { ...spec, login, readOnlyDisks: [] } })
  expect(text).toContain("config.ssh.password = '#{`id`}\\\\'\n")
  expect(text).toContain('config.ssh.guest_port = 2222\n')
  expect(text).toContain("libvirt.cpu_mode = 'host-passthrough'\n")
  expect(text).not.toMatch(/sudo_command|private_key_path|smbios|qemu64/)
})

test.each<[Partial<MachineSpec>, RegExp | undefined]>([
  [{}, undefined],
  [{ firmware: 'uefi' }, /by BIOS, not by UEFI/],
  [{ controller: 'nvme' }, /no nvme disk controller/],
  [{ nics: 2 }, /one network card, not 2/],
  [{ cd: '/x.iso' }, /no orders for a CD/],
  [{ clock: '2031-01-01' }, /no orders for a clock/],
])('what it makes no machine of is named: %p', (change, why) => {
  const said = cannotBeMade({ ...spec, ...change })
  if (why) expect(said).toMatch(why)
  else expect(said).toBeUndefined()
})

test('a box has a size in whole gigabytes, the next larger', () => {
  expect(JSON.parse(boxMetadata(2 ** 30 + 1))).toEqual({
    provider: 'libvirt',
    format: 'qcow2',
    virtual_size: 2,
  })
})
