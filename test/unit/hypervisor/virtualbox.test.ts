import { describe, expect, test } from '@jest/globals'
import { chordNamed, chordOf, KEY_NAMES } from '../../../actions/lib/console/keys.ts'
import {
  cannotBeMade,
  creating,
  type Hardware,
  restoring,
  taking,
  tapOf,
  tunnelArguments,
} from '../../../actions/lib/hypervisor/virtualbox/commands.ts'
import { scancodes } from '../../../actions/lib/hypervisor/virtualbox/scancodes.ts'

const hardware: Hardware = {
  spec: {
    name: 'validate',
    cpus: 2,
    memory: 1 << 30,
    firmware: 'bios',
    nic: 'virtio',
    controller: 'ahci',
  },
  folder: '/work/virtualbox-x',
  disks: [{ path: '/work/virtualbox-x/disk.vdi', readOnly: false }],
  mac: '52:54:00:77:00:1a',
  tunnel: { from: 40001, to: 40002 },
  serial: '/project/build/evidence/validate-serial.log',
}
const lines = (change: Partial<Hardware> = {}, spec: Partial<Hardware['spec']> = {}) =>
  creating({ ...hardware, ...change, spec: { ...hardware.spec, ...spec } }).map((words) => words.join(' '))

describe("VBoxManage's command lines", () => {
  test('for a BIOS machine with one disk', () => {
    expect(lines().join('\n')).toMatchSnapshot()
  })

  test('for a UEFI machine with CD, floppy, tools disk and the build key', () => {
    const disks = [
      { path: '/w/disk.vdi', readOnly: false },
      { path: '/w/tools.vdi', readOnly: true, serial: 'tools' },
    ]
    const media = { cd: '/m/installer.iso', floppy: '/w/floppy.img' }
    const publicKey = 'ssh-ed25519 AAAA appliance build\n'
    expect(lines({ disks, publicKey }, { firmware: 'uefi', ...media }).join('\n')).toMatchSnapshot()
  })

  test('the machine is made before anything is attached to it, controllers before disks', () => {
    const verbs = creating(hardware).map(([verb]) => verb)
    expect(verbs[0]).toBe('createvm')
    expect(verbs.indexOf('storagectl')).toBeLessThan(verbs.indexOf('storageattach'))
  })

  test('snapshots are taken of the running machine, and restored when it is off', () => {
    expect(taking('a', 'pristine')).toEqual(['snapshot', 'a', 'take', 'pristine', '--live'])
    expect(restoring('a', 'pristine').map(([verb, , what]) => `${verb} ${what}`)).toEqual([
      'controlvm poweroff',
      'snapshot restore',
    ])
  })

  test('hardware that VirtualBox does not have is refused by name', () => {
    const usual: Parameters<typeof cannotBeMade>[0] = {
      ...{ nic: 'virtio', controller: 'ahci', accel: 'auto' },
      readOnlyDisks: [],
    }
    const tools = { path: '/w/tools.vdi', serial: 'tools' }
    expect(cannotBeMade(usual)).toBeUndefined()
    expect(cannotBeMade({ ...usual, nic: 'vmxnet3' })).toBe('VirtualBox has no vmxnet3 network card')
    expect(cannotBeMade({ ...usual, controller: 'pvscsi' })).toBe('VirtualBox has no pvscsi disk controller')
    const ide = { ...usual, controller: 'ide' as const, cd: '/m/installer.iso' }
    expect(cannotBeMade({ ...ide, readOnlyDisks: [tools] })).toBeUndefined()
    expect(cannotBeMade({ ...ide, readOnlyDisks: [tools, tools] })).toMatch(/no place for 3 disks$/)
    expect(cannotBeMade({ ...usual, accel: 'tcg' })).toMatch(/accel: tcg is for QEMU$/)
  })

  test('frames go to the tap device that QEMU would have', () => {
    const netdev = ['-netdev', 'tap,id=net0,ifname=appl0,script=no,downscript=no']
    expect(tapOf(netdev)).toBe('appl0')
    expect(tapOf(['-netdev', 'user,id=net0,restrict=on'])).toBeUndefined()
    expect(tunnelArguments('appl0', hardware.tunnel).slice(1)).toEqual([
      'UDP-DATAGRAM:127.0.0.1:40001,bind=127.0.0.1:40002',
      'TUN,tun-name=appl0,tun-type=tap,iff-no-pi,iff-up',
    ])
  })
})

describe('scan codes', () => {
  test('a key goes down and up; shift is held meanwhile', () => {
    expect(scancodes(chordOf('a')!)).toEqual(['1e', '9e'])
    expect(scancodes(chordOf('A')!)).toEqual(['2a', '1e', '9e', 'aa'])
    expect(scancodes(chordOf('|')!)).toEqual(['2a', '2b', 'ab', 'aa'])
  })

  test('extended keys keep their prefix', () => {
    expect(scancodes(chordNamed('Delete')!)).toEqual(['e0', '53', 'e0', 'd3'])
    expect(scancodes(chordNamed('VT2')!)).toEqual(['1d', '38', '3c', 'bc', 'b8', '9d'])
  })

  test.each([
    ['Enter', '1c'],
    ['Esc', '01'],
    ['Tab', '0f'],
    ['Backspace', '0e'],
    ['F1', '3b'],
    ['F10', '44'],
    ['F12', '58'],
  ])('%s is %s, as the AT keyboard had it', (name, code) => {
    expect(scancodes(chordNamed(name)!)[0]).toBe(code)
  })

  test('every key there is has one, and no two have the same', () => {
    const names = KEY_NAMES.filter((name) => !name.startsWith('Wait'))
    const characters = Array.from({ length: 95 }, (_, n) => String.fromCharCode(32 + n))
    const chords = [...names.map((name) => chordNamed(name)!), ...characters.map((one) => chordOf(one)!)]
    const keys = new Map(chords.map((chord) => [chord.join('+'), scancodes(chord).join(' ')]))
    expect(new Set(keys.values()).size).toBe(keys.size)
  })
})
