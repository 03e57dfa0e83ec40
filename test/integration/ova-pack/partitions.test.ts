import { mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { run } from '../../../actions/lib/process/command.ts'
import type { SealReport } from '../../../actions/ova-pack/seal.ts'
import { lookAtDisk } from '../../../actions/veewee-basebox/look/look.ts'
import { type Files, placeFiles } from './sample-disk.ts'
import { sealCopy } from './seal-copy.ts'

jest.setTimeout(120_000)

const MIB = 2 ** 20
const BOOT = { uuid: '5f5f5f5f-0000-4000-8000-000000000001', start: 1, size: 16 }
const SWAP = { uuid: '5f5f5f5f-0000-4000-8000-000000000002', start: 17, size: 8 }
const ROOT = { uuid: '5f5f5f5f-0000-4000-8000-000000000003', start: 25, size: 48 }
const VAR = { uuid: '5f5f5f5f-0000-4000-8000-000000000004', start: 73, size: 16 }
const mark = (of: string) => `left-over-${of}-7f3a`

let folder: string
let provisioned: string

/** An ext4 by mke2fs, with something deleted in it. */
async function fileSystem(disk: string, { uuid, start, size }: typeof BOOT, name: string, files: Files) {
  const tree = join(folder, `${name}.tree`)
  await placeFiles(tree, files)
  const place = ['-E', `offset=${start * MIB},root_owner=0:0`, '-U', uuid, '-J', 'size=4']
  await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-b', '4096', ...place, '-d', tree, disk, `${size}M`])
  const secret = join(folder, `${name}.secret`)
  await writeFile(secret, `${mark(name)}\n`.repeat(2000))
  await run('debugfs', ['-w', '-f', '-', `${disk}?offset=${start * MIB}`], {
    input: `write ${secret} deleted\nrm deleted\n`,
  })
}

/** As an installer makes it: MBR, /boot of its own, swap before the root; perhaps with a /var behind it. */
async function installed(name: string, fstab: string, withVar: boolean): Promise<string> {
  const disk = join(folder, name)
  await writeFile(disk, '')
  await truncate(disk, 96 * MIB)
  const all = [BOOT, SWAP, ROOT, ...(withVar ? [VAR] : [])]
  const types = ['83', '82', '83', '83']
  const lines = all.map(({ start, size }, at) => `start=${start}MiB, size=${size}MiB, type=${types[at]}\n`)
  await run('sfdisk', ['-q', disk], { input: `label: dos\n${lines.join('')}` })
  await fileSystem(disk, BOOT, 'boot', { '/vmlinuz-6.1.0-9-cloud-amd64': 'kernel', '/grub/grub.cfg': 'x' })
  await fileSystem(disk, ROOT, 'root', {
    '/etc/passwd': 'root:x:0:0::/root:/bin/sh\n',
    '/etc/fstab': fstab,
    '/boot': 'folder',
    '/usr/lib/os-release': 'ID=debian\n',
    '/usr/lib/modules/6.1.0-9-cloud-amd64/modules.builtin': 'kernel/drivers/scsi/vmw_pvscsi.ko\n',
  })
  if (withVar) await fileSystem(disk, VAR, 'var', { '/lib/systemd/random-seed': 'seed' })
  const swap = join(folder, 'swap')
  await writeFile(swap, '')
  await truncate(swap, SWAP.size * MIB)
  await run('mkswap', ['-q', '-U', SWAP.uuid, '-L', 'pages', swap])
  await using file = await open(disk, 'r+')
  await file.write(await readFile(swap), 0, SWAP.size * MIB, SWAP.start * MIB)
  await file.write(Buffer.from(mark('memory').repeat(1000)), 0, undefined, SWAP.start * MIB + 5000)
  // It was hibernated: swapon keeps such a partition from being used.
  await file.write(Buffer.from('S1SUSPEND\0'), 0, 10, SWAP.start * MIB + 4086)
  return disk
}

const FSTAB = `# by an installer
UUID=${ROOT.uuid} / ext4 errors=remount-ro 0 1
UUID=${BOOT.uuid} /boot ext4 defaults 0 2
UUID=${SWAP.uuid} none swap sw 0 0
/dev/sr0 /media/cdrom0 udf,iso9660 user,noauto 0 0
`

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ova-partitions-'))
  provisioned = await installed('provisioned.raw', FSTAB, false)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const sealed = (name: string, from = provisioned) =>
  sealCopy(from, { folder, name, tools: { run }, needles: [] })

describe('a disk with partitions for /boot and swap, sealed', () => {
  let disk: string
  let report: SealReport
  beforeAll(async () => {
    ;({ disk, report } = await sealed('sealed.raw'))
  })

  test('nothing of the build’s memory and of deleted files is left on any', async () => {
    const bytes = [await readFile(provisioned), await readFile(disk)]
    for (const kind of ['memory', 'boot', 'root'])
      expect([kind, ...bytes.map((all) => all.includes(mark(kind)))]).toEqual([kind, true, false])
  })

  test('swap keeps UUID and label, and is no hibernated machine any more', async () => {
    const { stdout } = await run('blkid', ['-p', '-O', String(SWAP.start * MIB), '-o', 'export', disk])
    expect(stdout).toContain(`UUID=${SWAP.uuid}\n`)
    expect(stdout).toContain('LABEL=pages\n')
    expect(stdout).toContain('TYPE=swap\n')
  })

  test('/boot is whole and has what it had', async () => {
    const device = `${disk}?offset=${BOOT.start * MIB}`
    await run('e2fsck', ['-fn', device])
    expect((await run('debugfs', ['-R', 'cat /vmlinuz-6.1.0-9-cloud-amd64', device])).stdout).toBe('kernel')
  })

  test('the drivers of the kernels on /boot are looked at', () => {
    expect(report.missingDrivers).toEqual(
      ['mptspi', 'vmxnet3', 'e1000'].map((name) => `${name} (6.1.0-9-cloud-amd64)`),
    )
  })

  test('the report says what was done to each', () => {
    expect(report.partitions).toEqual([
      'Partition 2 (swap): emptied; UUID and label stay.',
      expect.stringMatching(/^Partition 1 \(ext4, \/boot\): \d+ MiB free, all zeros\.$/),
    ])
  })

  test('sealing again gives the same bytes', async () => {
    const again = await sealed('again.raw')
    expect((await readFile(again.disk)).equals(await readFile(disk))).toBe(true)
  })
})

test.each([
  ['mounted at /var', `UUID=${VAR.uuid} /var ext4 defaults 0 2\n`, 'ext4, mounted at /var'],
  ['named by its device', '/dev/sda4 /var/lib/data ext4 defaults 0 2\n', 'ext4, mounted at /var/lib/data'],
  ['not in fstab', '', 'ext4, not in /etc/fstab'],
])('a further partition with files is refused by its name: %s', async (_, line, said) => {
  const disk = await installed('further.raw', `${FSTAB}${line}`, true)
  await expect(sealed('further-sealed.raw', disk)).rejects.toMatchObject({
    code: 'input',
    message: `sealing: partition 4 (${said}) would be shipped as the build left it: only the root and /boot are sealed`,
    hint: expect.stringContaining('atomic'),
  })
  const tools = { run, directory: '/', key: '' }
  const scratch = join(folder, 'look')
  const { signal } = new AbortController()
  expect(await lookAtDisk({ disk, allowed: [], tools, scratch, signal })).toContain(
    `**ova-pack will refuse it: partition 4 (${said}) would be shipped`,
  )
})
