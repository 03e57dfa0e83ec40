import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { run } from '../../actions/lib/process/command.ts'
import { packVhdx } from '../../actions/ova-pack/formats/vhdx.ts'
import { lintOva } from '../../actions/ova-pack/lint/lint.ts'
import { certificateFile, openSigner } from '../../actions/ova-pack/trust/signer.ts'
import { importerRoot, inRoot, virtualBoxImport } from '../fixtures/importers.ts'
import {
  bootableDisk,
  description,
  ovfOf,
  parts,
  signingKey,
  tar,
  vmdkOf,
} from '../integration/ova-pack/specimen.ts'

let folder: string
let disk: string
const name = 'good'

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ova-import-'))
  disk = await bootableDisk(join(folder, 'disk.raw'))
  const vmdk = await vmdkOf(disk)
  const networks = [
    { name: 'Front', kind: 'VmxNet3', description: 'Customers' },
    { name: 'Back', kind: 'E1000', description: 'Databases' },
  ] as const
  await writeFile(
    join(folder, 'good.ova'),
    tar(parts(ovfOf(vmdk, { networks, eula: { en: 'Be nice.', de: 'Sei nett.' } }), vmdk)),
  )
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test("open-vmdk's vmdk-convert reads the same disk", async () => {
  const root = await importerRoot('open-vmdk')
  await run('tar', ['-C', folder, '-xf', join(folder, 'good.ova')])
  const shown = await inRoot(root, folder, ['vmdk-convert', '-i', '/work/good-disk1.vmdk'])
  expect(shown.stdout).toContain(String(description.disk.capacity))
  // It writes VMDKs only: its own of ours, read by qemu-img, has to be the disk again.
  await inRoot(root, folder, ['vmdk-convert', '/work/good-disk1.vmdk', '/work/theirs.vmdk'])
  await run('qemu-img', ['compare', '-f', 'raw', '-F', 'vmdk', disk, join(folder, 'theirs.vmdk')])
})

describe('VirtualBox', () => {
  let root: string
  const box = (argv: readonly string[], allowFailure = false) =>
    inRoot(root, folder, ['VBoxManage', '-q', ...argv], allowFailure)
  beforeAll(async () => {
    root = await importerRoot('virtualbox')
  })

  test('imports what is described: processors, memory, cards, the same disk', async () => {
    const { info, disk: imported } = await virtualBoxImport(folder, 'good.ova', name)
    for (const line of [
      'cpus=2',
      'memory=2048',
      'firmware="BIOS"',
      'ostype="Debian (64-bit)"',
      // Where the settings would come, had it any.
      'storagecontrollertype0="PIIX4"',
      'storagecontrollertype1="LsiLogic"',
    ])
      expect(info.toLowerCase()).toContain(line.toLowerCase())
    expect(info).toMatch(/^nic2="/m)
    await run('qemu-img', ['compare', '-f', 'vmdk', '-F', 'raw', imported, disk])
  })

  test('refuses the same with a flipped bit', async () => {
    const bytes = await readFile(join(folder, 'good.ova'))
    bytes[bytes.length - 9000]! ^= 1
    await mkdir(join(folder, 'bad'), { recursive: true })
    await writeFile(join(folder, 'bad', 'good.ova'), bytes)
    const { status, stderr } = await box(
      [
        'import',
        '/work/bad/good.ova',
        '--vsys',
        '0',
        '--eula',
        'accept',
        '--vmname',
        'bad',
        '--basefolder',
        '/work/bad',
      ],
      true,
    )
    expect(status).not.toBe(0)
    expect(stderr).toMatch(/digest|VERR_/i)
  })

  test('takes our signature for what it is, and refuses that of another manifest', async () => {
    const { key, certificate } = await signingKey(folder)
    const { signal } = new AbortController()
    const signer = await openSigner({ key, certificate }, folder, Date.now() + 60_000, signal)
    const vmdk = await vmdkOf(disk)
    const [descriptor, manifest, data] = parts(ovfOf(vmdk), vmdk)
    const looked = async (ova: string, signed: Buffer) => {
      const content = await certificateFile(signer, 'good.mf', signed)
      const members = [descriptor!, manifest!, { name: 'good.cert', content }, data!]
      await writeFile(join(folder, ova), tar(members))
      return await box(['import', `/work/${ova}`, '--dry-run', '--vsys', '0', '--eula', 'accept'], true)
    }
    const good = await looked('signed.ova', manifest!.content)
    expect([good.status, good.stderr]).toEqual([
      0,
      expect.stringContaining("A self signed certificate was used to sign '/work/signed.ova'"),
    ])
    const bad = await looked('unsigned.ova', Buffer.from('another'))
    expect(bad.status).not.toBe(0)
    expect(bad.stderr).toMatch(/signature/i)
  })

  test('exports an OVA in which our lint finds nothing', async () => {
    const script = [
      'VBoxManage -q createvm --name mine --ostype Debian_64 --register --basefolder /work/machines',
      'VBoxManage -q storagectl mine --name SATA --add sata --controller IntelAhci --portcount 1',
      'VBoxManage -q clonemedium disk /work/theirs-disk.vmdk /work/machines/mine.vdi --format VDI',
      'VBoxManage -q storageattach mine --storagectl SATA --port 0 --device 0 --type hdd --medium /work/machines/mine.vdi',
      'VBoxManage -q export mine --output /work/mine.ova --manifest',
    ].join('\n')
    await run('qemu-img', ['convert', '-O', 'vmdk', disk, join(folder, 'theirs-disk.vmdk')])
    await inRoot(root, folder, ['sh', '-ec', script])
    const { findings } = await lintOva(join(folder, 'mine.ova'), {
      now: Date.now() / 1000,
      signal: new AbortController().signal,
    })
    expect(findings).toEqual([])
  })
})

/** It converts only what it can inspect: the example, when script/test has built it. */
const example = resolve('build/e2e/license-server/build/ova-pack/license-server-1.4.0.ova')
const convert = existsSync(example) ? test : test.skip
convert(
  'virt-v2v opens the example (script/test e2e builds it), and converts none without GRUB’s tools',
  async () => {
    const root = await importerRoot('virt-v2v')
    await mkdir(join(folder, 'v2v'))
    await copyFile(example, join(folder, 'v2v', 'example.ova'))
    const settings = ['LIBGUESTFS_BACKEND=direct', 'LIBGUESTFS_BACKEND_SETTINGS=force_tcg']
    const output = ['-o', 'disk', '-os', '/work/v2v', '-of', 'qcow2']
    const command = ['env', ...settings, 'virt-v2v', '-i', 'ova', '/work/v2v/example.ova', ...output]
    const { status, stdout, stderr } = await inRoot(root, folder, command, true)
    const said = stdout + stderr
    // What it reads before that: archive, digests, disk, file systems, what is installed.
    expect(said).toMatch(/Checking filesystem integrity[\s\S]*Converting 12\.\d+ \(debian12\) to run on KVM/)
    // The base machine is made with GRUB from the tools root; docs/ova.md tells whoever wants virt-v2v.
    expect([status, said.match(/error: .*/g)]).toEqual([
      1,
      ['error: failed to find grub2-mkconfig binary (but Grub2 was detected on guest)'],
    ])
  },
)

test('VirtualBox reads the VHDX as the same disk', async () => {
  const root = await importerRoot('virtualbox')
  await packVhdx(disk, join(folder, 'good.vhdx'), new AbortController().signal)
  const clone = [
    'VBoxManage',
    '-q',
    'clonemedium',
    'disk',
    '/work/good.vhdx',
    '/work/from-vhdx.vdi',
    '--format',
    'VDI',
  ]
  await inRoot(root, folder, clone)
  await run('qemu-img', ['compare', '-f', 'raw', '-F', 'vdi', disk, join(folder, 'from-vhdx.vdi')])
})
