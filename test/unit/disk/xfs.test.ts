import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { openGuestFiles } from '../../../actions/lib/disk/open-files.ts'
import { cpioArchive } from '../../../actions/lib/disk/xfs/cpio.ts'
import { XfsFiles } from '../../../actions/lib/disk/xfs/files.ts'
import { jobOf } from '../../../actions/lib/disk/xfs/job.ts'
import { kernelIn } from '../../../actions/lib/disk/xfs/kernel.ts'
import { judged, librariesIn } from '../../../actions/lib/disk/xfs/machine.ts'
import { featuresFor } from '../../../actions/lib/disk/xfs/make.ts'
import { PROGRAM } from '../../../actions/lib/disk/xfs/program.ts'
import { fileBytes, memoryBytes } from '../../../actions/lib/files/bytes.ts'
import { run } from '../../../actions/lib/process/command.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'appliance-xfs-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** A file system of mkfs.xfs, filled by a prototype file. @see mkfs.xfs(8), -p */
async function made(name: string, prototype: readonly string[], ...options: string[]): Promise<string> {
  const path = join(folder, name)
  await writeFile(`${path}.prototype`, ['/dev/null', '0 0', ...prototype, '$', ''].join('\n'))
  await run('mkfs.xfs', [
    ...['-q', '-f', '-m', 'uuid=5f5f5f5f-0000-4000-8000-000000000005', '-L', 'root', ...options],
    ...['-d', `file,name=${path},size=320m`, '-p', `${path}.prototype`],
  ])
  return path
}

async function using<T>(path: string, use: (files: XfsFiles) => Promise<T>): Promise<T> {
  await using file = await open(path)
  return await use((await XfsFiles.open(fileBytes(file, 0, (await file.stat()).size), 0, 2 ** 40))!)
}

const names = (count: number) => Array.from({ length: count }, (_, i) => `name-of-some-length-${i}`)
/** A folder each of the kinds that XFS has: in the inode, one block, several with one index, several with a tree. */
const sizes = { none: 0, few: 3, block: 40, leaf: 400, node: 9000 }

describe.each([
  ['as usual', []],
  ['small blocks', ['-b', 'size=1024']],
  ['large blocks of folders', ['-n', 'size=16384']],
  ['without what Linux 4.19 did not know', ['-m', 'bigtime=0,inobtcount=0,reflink=0']],
] as const)('a file system of mkfs.xfs, %s', (kind, options) => {
  let path: string
  let text: string
  beforeAll(async () => {
    text = join(folder, 'text')
    await writeFile(text, 'a line\n'.repeat(100_000))
    path = await made(
      kind.replaceAll(' ', '-'),
      [
        'd--755 0 0',
        `large ---640 33 4 ${text}`,
        'short l--777 0 0 large',
        ...Object.entries(sizes).flatMap(([name, count]) => [
          `${name} d--750 7 8`,
          ...names(count).map((one) => `${one} ---600 0 0 /dev/null`),
          '$',
        ]),
      ],
      ...options,
    )
  })

  test.each(Object.entries(sizes))('a folder “%s” of %i names', async (name, count) => {
    const listed = await using(path, (files) => files.list(`/${name}`))
    expect(listed.map((entry) => entry.name)).toEqual(names(count).sort())
    expect(listed.every((entry) => entry.kind === 'file')).toBe(true)
  })

  test('files, owners and links', async () => {
    await using(path, async (files) => {
      expect((await files.read('/large', 1 << 30))!.equals(await readFile(text))).toBe(true)
      expect((await files.read('/short', 6))!.toString()).toBe('a line')
      expect(await files.find('/large')).toMatchObject({ mode: 0o100640, uid: 33, gid: 4, size: 700_000 })
      expect(await files.exists('/nowhere')).toBe(false)
      const pieces: Buffer[] = []
      for await (const piece of files.stream('/large')) pieces.push(piece)
      expect(Buffer.concat(pieces).equals(await readFile(text))).toBe(true)
    })
  })

  test('its UUID, its label, that it is clean, and what the superblock counts as free', async () => {
    await using(path, async (files) => {
      expect(files.uuid).toBe('5f5f5f5f-0000-4000-8000-000000000005')
      expect(files.label).toBe('root')
      expect(await files.isClean()).toBe(true)
      const free = (await files.free()).reduce((total, { length }) => total + length, 0)
      expect(free).toBe(files.geometry.freeBlocks * files.geometry.blockSize)
      let count = 0
      for await (const _ of files.walk()) count++
      expect(count).toBe(2 + Object.entries(sizes).reduce((total, [, more]) => total + 1 + more, 0))
    })
  })
})

test('no damage makes the reader hang or throw', async () => {
  const path = await made('damaged', ['d--755 0 0', 'few d--755 0 0', 'x ---600 0 0 /etc/passwd', '$'])
  const bytes = await readFile(path)
  let state = 5
  const random = (below: number) => {
    state = (state * 1103515245 + 12345) % 2 ** 31
    return state % below
  }
  for (let round = 0; round < 150; round++) {
    const broken = Buffer.from(bytes.subarray(0, 1 << 20))
    for (let i = 0; i < 200; i++) broken[random(round % 2 === 0 ? 4096 * 24 : 512)] = random(256)
    broken.write('XFSB', 0, 'latin1')
    const files = await openGuestFiles(memoryBytes(broken), 0, broken.length)
    await files?.list('/')
    await files?.read('/few/x')
    await (files as XfsFiles | undefined)?.free()
  }
})

test('features that are not known, and version 4, are not read', async () => {
  const path = await made('features', ['d--755 0 0'])
  const superblock = (await readFile(path)).subarray(0, 4096)
  const opened = (change: (bytes: Buffer) => void) => {
    const bytes = Buffer.from(superblock)
    change(bytes)
    return XfsFiles.open(memoryBytes(bytes), 0, bytes.length)
  }
  expect(await opened(() => {})).toBeDefined()
  expect(await opened((bytes) => bytes.writeUInt32BE(0x100, 216))).toBeUndefined()
  expect(await opened((bytes) => bytes.writeUInt16BE(0xb4a4, 100))).toBeUndefined()
  // Of a folder's blocks: 4096 << 20 is 0, and 4096 << 19 negative.
  expect(await opened((bytes) => bytes.writeUInt8(20, 192))).toBeUndefined()
  expect(await opened((bytes) => bytes.writeUInt8(19, 192))).toBeUndefined()
})

test.each([
  ['6.12.48+deb13-amd64', 'bigtime=1,inobtcount=1'],
  ['6.1.0-50-amd64', 'bigtime=1,inobtcount=1'],
  ['5.14.0-503.el9.x86_64', 'bigtime=1,inobtcount=1'],
  ['4.18.0-553.el8_10.x86_64', 'bigtime=0,inobtcount=0'],
])('for Linux %s the features are %s, as mkfs.xfs takes them', async (kernel, features) => {
  expect(featuresFor(kernel)[1]).toContain(features)
  const path = join(folder, kernel)
  await run('mkfs.xfs', ['-q', '-f', ...featuresFor(kernel), '-d', `file,name=${path},size=320m`])
  expect(await using(path, (files) => files.list('/'))).toEqual([])
})

test('the archive of the first file system is one that cpio takes', async () => {
  const path = join(folder, 'first.cpio')
  const entries = [
    { name: 'bin', mode: 0o040755 },
    { name: 'bin/odd', mode: 0o100755, content: Buffer.from('abcde') },
    { name: 'lib64', mode: 0o120777, content: Buffer.from('lib') },
    { name: 'dev-console', mode: 0o020600, device: { major: 5, minor: 1 } },
  ]
  await writeFile(path, cpioArchive(entries))
  const { stdout } = await run('cpio', ['-itv', '--quiet', '-F', path])
  expect(stdout).toMatch(/^drwxr-xr-x .* bin$/m)
  expect(stdout).toMatch(/^-rwxr-xr-x .* 5 .* bin\/odd$/m)
  expect(stdout).toMatch(/^lrwxrwxrwx .* lib64 -> lib$/m)
  expect(stdout).toMatch(/^crw------- .* 5, +1 .* dev-console$/m)
})

test('a change that fails is told with its reason', async () => {
  const changes = PROGRAM.slice(PROGRAM.indexOf('$time ='), PROGRAM.indexOf('while (defined($step'))
  const around = `sub names { () } sub failed { print "failed: @_"; exit }`
  const { stdout } = await run('perl', ['-', ...['6', 'write', '/nowhere/at/all', '0644', '0', '0', 'x']], {
    input: `${around}\n@words = @ARGV;\n${changes}\nchanges(); print 'done';\n`,
  })
  expect(stdout).toBe('failed: /nowhere/at/all: No such file or directory')
})

test('libraries may lie in a folder with a blank in its name', () => {
  const listed =
    '\tlinux-vdso.so.1 (0x00007ffd)\n\tlibc.so.6 => /a b/lib/libc.so.6 (0x00007f01)\n\t/lib64/ld.so (0x00007f02)\n'
  expect(librariesIn(listed)).toEqual(['/a b/lib/libc.so.6'])
})

test('an xfs_repair that is too old finds no damage', () => {
  const said = (...lines: string[]) => ['checking', ...lines, 'failed: damaged', ''].join('\n')
  const old = said(
    'Phase 1 - find and verify superblock...',
    'Superblock has unknown compat/rocompat/incompat features (0x0/0x0/0x80).',
    'Using a more recent xfs_repair is recommended.',
    'Found unsupported filesystem features.  Exiting now.',
  )
  expect(() => judged(old, '')).toThrow(expect.objectContaining({ code: 'missing-tool' }))
  expect(() => judged(said('bad nlink 7'), '')).toThrow(/finds damage: bad nlink 7/)
})

test('changes become words, in order', () => {
  const entry = { path: '/a b', kind: 'file', inode: 9, mode: 0o640, uid: 33, gid: 4, size: 1 } as const
  const folderEntry = { ...entry, path: '/f', kind: 'folder' } as const
  const { words, files } = jobOf([
    { kind: 'remove', entry: folderEntry },
    { kind: 'write', path: '/a b', content: Buffer.from('x'), mode: 0o4755, over: entry },
    { kind: 'link', path: '/l', target: '../t', over: entry },
  ])
  expect(words).toEqual([
    ...['change', '13', 'rmdir', '/f', 'write', '/a b', '04755', '33', '4', '/files/000000'],
    ...['remove', '/a b', 'link', '/l', '../t'],
  ])
  expect(files.map(String)).toEqual(['x'])
})

describe('the kernel that is taken', () => {
  const source = (files: Record<string, string>) => ({
    list: async (path: string) =>
      [
        ...new Set(
          Object.keys(files).flatMap((one) => (one.startsWith(`${path}/`) ? [one.split('/')[4]!] : [])),
        ),
      ].map((name) => ({ name, kind: 'folder' as const })),
    read: async (path: string) => (path in files ? Buffer.from(files[path]!) : undefined),
  })
  const { signal } = new AbortController()
  const modules = (version: string) => `/usr/lib/modules/${version}`

  test('is the newest that is whole; modules come after what they need', async () => {
    const m = modules('6.1.0-10')
    const files = {
      [`${modules('6.1.0-9')}/modules.dep`]: '',
      '/boot/vmlinuz-6.1.0-10': 'image',
      [`${m}/modules.dep`]:
        'kernel/xfs.ko: kernel/b.ko kernel/a.ko\nkernel/b.ko: kernel/a.ko\nkernel/a.ko:\n',
      [`${m}/modules.builtin`]: 'kernel/drivers/block/virtio_blk.ko\n',
      [`${m}/kernel/xfs.ko`]: 'xfs',
      [`${m}/kernel/b.ko`]: 'b',
      [`${m}/kernel/a.ko`]: 'a',
    }
    const kernel = await kernelIn(source(files), [], signal)
    expect([kernel.version, String(kernel.image), kernel.modules.map(String)]).toEqual([
      ...['6.1.0-10', 'image', ['a', 'b', 'xfs']],
    ])
  })

  test('may lie beside its modules, or in a partition for /boot', async () => {
    const m = modules('5.14.0')
    const files = { [`${m}/modules.dep`]: '', [`${m}/modules.builtin`]: 'a/virtio_blk.ko\na/xfs.ko\n' }
    const beside = await kernelIn(source({ ...files, [`${m}/vmlinuz`]: 'beside' }), [], signal)
    expect(String(beside.image)).toBe('beside')
    const apart = await kernelIn(source(files), [source({ '/vmlinuz-5.14.0': 'apart' })], signal)
    expect(String(apart.image)).toBe('apart')
  })

  test('is refused without xfs or virtio_blk', async () => {
    const m = modules('6.1.0')
    const files = {
      [`${m}/vmlinuz`]: 'x',
      [`${m}/modules.dep`]: '',
      [`${m}/modules.builtin`]: 'a/virtio_blk.ko\n',
    }
    await expect(kernelIn(source(files), [], signal)).rejects.toThrow(/no kernel of the guest \(6\.1\.0\)/)
  })
})
