import { describe, expect, test } from '@jest/globals'
import type { DiskController, NicModel } from '../../../actions/lib/hypervisor/hypervisor.ts'
import { type Hardware, qemuArguments } from '../../../actions/lib/hypervisor/qemu/arguments.ts'

const hardware: Hardware = {
  spec: {
    name: 'validate',
    throwAway: true,
    cpus: 2,
    memory: 1 << 30,
    firmware: 'bios',
    nic: 'virtio',
    controller: 'virtio',
    readOnlyDisks: [],
  },
  accel: 'tcg',
  version: 7,
  disk: { path: '/work/overlay.qcow2', format: 'qcow2' },
  mac: '52:54:00:77:00:10',
  netdev: ['-netdev', 'tap,id=net0,ifname=tap0,script=no,downscript=no'],
  monitor: '/tmp/appliance-vm-x/qmp',
}

const words = (change: Partial<Hardware> = {}, spec: Partial<Hardware['spec']> = {}) =>
  qemuArguments({ ...hardware, ...change, spec: { ...hardware.spec, ...spec } })
const given = (option: string, list: string[]) => list.filter((_, index) => list[index - 1] === option)

describe("QEMU's command line", () => {
  test('for a BIOS machine under TCG', () => {
    expect(words().join('\n')).toMatchSnapshot()
  })

  test('for a UEFI machine with a tools disk and the build key, under KVM', () => {
    const change: Partial<Hardware> = {
      accel: 'kvm',
      version: 9,
      uefi: {
        code: '/usr/share/OVMF/OVMF_CODE_4M.fd',
        variables: '/tmp/appliance-vm-x/uefi-variables.qcow2',
      },
      publicKey: 'ssh-ed25519 AAAA appliance build\n',
    }
    const spec: Partial<Hardware['spec']> = {
      firmware: 'uefi',
      controller: 'ahci',
      nic: 'e1000e',
      readOnlyDisks: [{ path: '/project/build/tools.img', serial: 'tools' }],
    }
    expect(words(change, spec).join('\n')).toMatchSnapshot()
  })

  test.each<[DiskController, string[]]>([
    ['virtio', ['virtio-blk-pci,drive=disk0,bootindex=1']],
    ['ahci', ['ahci,id=bus0', 'ide-hd,bus=bus0.0,drive=disk0,bootindex=1']],
    [
      'lsi',
      [
        'lsi53c895a,id=bus0',
        'scsi-hd,bus=bus0.0,scsi-id=0,vendor=MICROP,product=4110,drive=disk0,bootindex=1',
      ],
    ],
    ['pvscsi', ['pvscsi,id=bus0', 'scsi-hd,bus=bus0.0,scsi-id=0,drive=disk0,bootindex=1']],
    ['nvme', ['nvme,serial=appliance,drive=disk0,bootindex=1']],
  ])('has the controller %s', (controller, devices) => {
    expect(given('-device', words({}, { controller }))).toEqual(expect.arrayContaining(devices))
  })

  test.each<[NicModel, string]>([
    ['virtio', 'virtio-net-pci'],
    ['e1000', 'e1000'],
    ['e1000e', 'e1000e'],
    ['vmxnet3', 'vmxnet3'],
    ['pcnet', 'pcnet'],
  ])('has the network card %s', (nic, device) => {
    expect(given('-device', words({}, { nic }))).toContain(
      `${device},netdev=net0,mac=52:54:00:77:00:10,romfile=`,
    )
  })

  test.each([
    [7, 'max,cx16=off'],
    [8, 'max'],
  ])('under TCG of QEMU %d has the processor %s', (version, cpu) => {
    expect(given('-cpu', words({ version }))).toEqual([cpu])
  })

  test('doubles commas in names and paths', () => {
    const list = words({ disk: { path: '/a,b/disk', format: 'qcow2' } }, { name: 'one,two' })
    expect(given('-name', list)).toEqual(['one,,two'])
    expect(given('-drive', list)[0]).toMatch(/^file=\/a,,b\/disk,format=qcow2,/)
  })

  test('rounds memory up to whole MiB', () => {
    expect(given('-m', words({}, { memory: (1 << 30) + 1 }))).toEqual(['1025M'])
  })

  test('has no sandbox when the network starts a relay, which would die in it', () => {
    expect(words({ netdev: ['-netdev', 'user,id=net0,guestfwd=tcp:10.0.2.100:80-cmd:x'] })).not.toContain(
      '-sandbox',
    )
    expect(given('-sandbox', words())[0]).toContain('spawn=deny')
  })
})
