import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { rules } from '../../../actions/ova-pack/lint/lint.ts'
import type { Finding } from '../../../actions/ova-pack/lint/rule.ts'
import { initramfs } from '../../fixtures/initramfs.ts'
import {
  checksummed,
  description,
  lintOf,
  manifestOf,
  ovfOf,
  ownBoot,
  type Parts,
  parts,
  tar,
} from './specimen.ts'
import { virtualBoxExport } from './virtualbox-export.ts'
import { archives } from './zoo/archives.ts'
import { descriptors } from './zoo/descriptors.ts'
import { disks } from './zoo/disks.ts'
import { hardware } from './zoo/hardware.ts'
import { byTar, clean, good, prepare, signed, vmdk, withDisk, type Zoo } from './zoo/keeper.ts'
import { rare } from './zoo/rare.ts'

beforeAll(prepare)
afterAll(clean)

const zoo: Zoo = { ...archives, ...descriptors, ...hardware, ...disks, ...rare }

const ids = (findings: readonly Finding[]) => [...new Set(findings.map(({ rule }) => rule))]
const errors = (findings: readonly Finding[]) => findings.filter(({ severity }) => severity === 'error')

describe('is silent on', () => {
  test('what ova-pack writes', async () => {
    expect(await lintOf(tar(good))).toEqual([])
  })

  test('a signed one', async () => {
    expect(await lintOf(tar(await signed()))).toEqual([])
  })

  test('one of EFI whose disk boots by BIOS, too, as VirtualBox has it', async () => {
    expect(await lintOf(tar(parts(ovfOf(vmdk, { firmware: 'efi' }), vmdk)))).toEqual([])
  })

  test('one of GNU tar, with its long record of zeros at the end', async () => {
    expect(await lintOf(await byTar('--format=ustar'))).toEqual([])
  })

  test('one whose /boot is a partition, but for the ESP that it lacks', async () => {
    const boot = { 'vmlinuz-6.1': 'kernel', 'initrd.img-6.1': initramfs('mptspi', 'vmw_pvscsi', 'ahci') }
    const ova = await withDisk('good-boot', (copy) => ownBoot(copy, boot))
    expect(ids(await lintOf(ova))).toEqual(['boot-one-firmware'])
  })

  test('what VirtualBox exports: judged for VirtualBox, since it says so', async () => {
    expect(await lintOf(virtualBoxExport(vmdk))).toEqual([])
    expect(ids(await lintOf(virtualBoxExport(vmdk), { for: ['vmware'] }))).toEqual(
      expect.arrayContaining([
        'manifest-blank',
        'manifest-position',
        'hardware-family',
        'controller-ide-subtype',
      ]),
    )
  })

  test('one of several disks, cards and languages', async () => {
    const second = { ...description.disk, file: 'good-disk2.vmdk', bytes: vmdk.length }
    const first = { ...second, file: 'good-disk1.vmdk' }
    const text = ovfOf(vmdk, {
      disk: first,
      dataDisks: [second],
      networks: [
        { name: 'Front', kind: 'VmxNet3', description: 'Customers' },
        { name: 'Back', kind: 'E1000', description: 'Databases' },
      ],
      eula: { en: 'Be nice.', de: 'Sei nett.' },
    })
    const [descriptor, , data] = parts(text, vmdk) as [Parts[0], Parts[0], Parts[0]]
    const more = { name: 'good-disk2.vmdk', content: vmdk }
    expect(await lintOf(tar([descriptor, manifestOf([descriptor, data, more]), data, more]))).toEqual([])
  })
})

describe('finds', () => {
  test.each(Object.entries(zoo))('%s', async (_, [rule, make, now]) => {
    const findings = await lintOf(await make(), now ? { now } : {})
    expect(ids(findings)).toContain(rule)
    for (const { evidence, place } of findings) expect(evidence + place).not.toMatch(/[\u0000-\u001f]/)
  })

  test('nothing else in what is wrong in one way only', async () => {
    for (const name of [
      'PIIX4 (Graylog2/graylog2-images#211: VALUE_ILLEGAL)',
      '/dev/sda1 in fstab',
      'firmware=uefi',
    ])
      expect(ids(errors(await lintOf(await zoo[name]![1]())))).toEqual([zoo[name]![0]])
  })
})

test('an ignored rule does not count, and a hypervisor that is not asked about does not either', async () => {
  const ova = await zoo['SHA256 (x) = (home-assistant/operating-system#826)']![1]()
  expect(await lintOf(ova, { ignore: ['manifest-blank'] })).toEqual([])
  expect(await lintOf(ova, { for: ['virtualbox'] })).toEqual([])
})

test('every rule has a specimen, or a reason why it has none', () => {
  const without = {
    'archive-large-size': 'takes a member of 8 GiB',
    'boot-initramfs-unread': 'takes a computer that lacks a program: test/unit/ova-pack/initramfs.test.ts',
  }
  const shown = new Set([...Object.values(zoo).map(([rule]) => rule), ...Object.keys(without)])
  expect(Object.keys(rules).filter((id) => !shown.has(id))).toEqual([])
  expect(Object.keys(without).filter((id) => !(id in rules))).toEqual([])
  expect(Object.keys(zoo).length).toBeGreaterThan(100)
})

test('random bytes', async () => {
  expect(ids(await lintOf(checksummed(randomBytes(512))))).not.toEqual([])
})
