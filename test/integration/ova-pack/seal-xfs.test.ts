import { createHash } from 'node:crypto'
import { chmod, chown, cp, link, mkdtemp, open, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { openRoot } from '../../../actions/lib/disk/open-root.ts'
import { Pattern } from '../../../actions/lib/disk/pattern.ts'
import type { RootFileSystem } from '../../../actions/lib/disk/root-file-system.ts'
import { run } from '../../../actions/lib/process/command.ts'
import type { SealReport } from '../../../actions/ova-pack/seal.ts'
import { type Needle, publicKey } from '../../../actions/ova-pack/secrets.ts'
import { lookAtDisk } from '../../../actions/veewee-basebox/look/look.ts'
import { cannotMakeSmallDisk } from '../../fixtures/small-disk.ts'
import { BODY, BUILD_KEY, doomed, kept, PEM } from './sample-files.ts'
import { sampleXfs, XFS_UUID, xfsAlone } from './sample-xfs.ts'
import { sealCopy } from './seal-copy.ts'

jest.setTimeout(600_000)

const tools = { run, directory: '/', key: '' }
const { signal } = new AbortController()
const absent = await cannotMakeSmallDisk()
const suite = absent ? describe.skip : describe
if (absent) test.skip(`an XFS root: ${absent}`, () => {})

let folder: string
let provisioned: string
/** A file of 3000 pieces. */
let scattered: string

async function root(disk: string): Promise<RootFileSystem> {
  return (await openRoot(disk, tools, join(folder, 'reading'), signal)).root
}

const sealed = (name: string, needles: Needle[] = [], from = provisioned) =>
  sealCopy(from, { folder, name, tools, needles })

suite('an XFS root', () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ova-xfs-'))
    scattered = join(folder, 'scattered')
    await using file = await open(scattered, 'w')
    for (let i = 0; i < 3000; i++) await file.write(`piece ${i}`, i * 8192)
    provisioned = await sampleXfs(join(folder, 'provisioned.raw'), { ...doomed, ...kept }, async (tree) => {
      await run('cp', ['--sparse=always', scattered, join(tree, 'srv/scattered')])
      await link(join(tree, 'srv/scattered'), join(tree, 'srv/twin'))
      await chown(join(tree, 'var/log/postgresql'), 101, 102)
      await chmod(join(tree, 'var/log/postgresql'), 0o2770)
      await chown(join(tree, 'var/log/nginx/access.log'), 33, 4)
      await chmod(join(tree, 'var/log/nginx/access.log'), 0o640)
      await symlink(`${'./'.repeat(450)}hosts`, join(tree, 'etc/far'))
      await writeFile(join(tree, 'usr/bin-ping'), 'x')
      await run('setcap', ['cap_net_raw=ep', join(tree, 'usr/bin-ping')])
      for (let i = 0; i < 600; i++) await writeFile(join(tree, 'etc', `file-${i}`), `${i}`)
    })
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  test('is looked at like any other', async () => {
    const table = await lookAtDisk({
      disk: provisioned,
      allowed: [],
      tools,
      scratch: join(folder, 'look'),
      signal,
    })
    expect(table).toMatch(/^### The base machine: \d+ packages, \d+(\.\d+)? MB on disk$/m)
  })

  test('is read as its kernel wrote it: many pieces, many names, owners', async () => {
    const files = await root(provisioned)
    const contents = await files.read(['/srv/scattered', '/srv/twin', '/etc/file-599'])
    const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
    const written = digest(await readFile(scattered))
    expect(digest(contents.get('/srv/scattered')!)).toBe(written)
    expect(digest(contents.get('/srv/twin')!)).toBe(written)
    expect(contents.get('/etc/file-599')!.toString()).toBe('599')
    expect((await files.read(['/etc/far'])).get('/etc/far')!.toString()).toBe(kept['/etc/hosts'])
    const tree = await files.tree([new Pattern('/etc/file-*'), new Pattern('/var/log/postgresql')])
    expect([...tree.keys()].filter((path) => path.includes('file-'))).toHaveLength(600)
    expect(tree.get('/var/log/postgresql')).toMatchObject({
      kind: 'folder',
      mode: 0o2770,
      uid: 101,
      gid: 102,
    })
  })

  describe('sealed', () => {
    let disk: string
    let report: SealReport
    beforeAll(async () => {
      ;({ disk, report } = await sealed('sealed.raw', [publicKey(BUILD_KEY)]))
    })

    test('what is doomed is gone, what is kept is there, the rest is rewritten', async () => {
      const files = await root(disk)
      const all = [...Object.keys(doomed), ...Object.keys(kept)]
      const before = await (await root(provisioned)).tree(all.map((path) => new Pattern(path)))
      const after = await files.tree(all.map((path) => new Pattern(path)))
      for (const path of Object.keys(doomed)) expect([path, before.has(path)]).toEqual([path, true])
      for (const path of Object.keys(doomed)) expect([path, after.has(path)]).toEqual([path, false])
      for (const path of Object.keys(kept)) expect([path, after.has(path)]).toEqual([path, true])
      const contents = await files.read(['/etc/hosts', '/etc/machine-id', '/etc/passwd'])
      expect(contents.get('/etc/hosts')!.toString()).toBe('127.0.0.1\tlocalhost\n127.0.1.1\tlicense-server\n')
      expect(contents.get('/etc/machine-id')!.toString()).toBe('')
      expect(contents.get('/etc/passwd')!.toString()).toBe(kept['/etc/passwd'])
      expect(after.get('/var/log/nginx/access.log')).toMatchObject({ mode: 0o640, uid: 33, gid: 4, size: 0 })
      const resolver = after.get('/etc/resolv.conf')!
      expect(await files.linkTargets([resolver])).toEqual(
        new Map([['/etc/resolv.conf', '../run/systemd/resolve/stub-resolv.conf']]),
      )
    })

    test('nothing of what was in the files is left anywhere on the disk', async () => {
      expect((await readFile(provisioned)).includes('BEGIN PRIVATE KEY')).toBe(true)
      const bytes = await readFile(disk)
      for (const trace of ['BEGIN PRIVATE KEY', BODY, 'macaddress'])
        expect([trace, bytes.includes(trace)]).toEqual([trace, false])
      expect(report.free).toBeGreaterThan(100 * 2 ** 20)
    })

    test('xfs_repair finds nothing, and agrees about what is free', async () => {
      const alone = await xfsAlone(disk, join(folder, 'alone.img'))
      await expect(run('xfs_repair', ['-n', alone])).resolves.toMatchObject({ status: 0 })
      const { stdout } = await run('xfs_db', ['-r', '-c', 'sb 0', '-c', 'p uuid fdblocks', alone])
      expect(stdout).toContain(`uuid = ${XFS_UUID}`)
      const attributes = await run('xfs_db', ['-r', '-c', 'path /usr/bin-ping', '-c', 'p a', alone])
      expect(attributes.stdout).toMatch(/secure[\s\S]*name = "capability"|name = "capability"/)
      expect(report.free).toBe(Number(/fdblocks = (\d+)/.exec(stdout)![1]) * 4096)
    })

    test('sealing what is sealed changes nothing', async () => {
      const twice = await sealed('twice.raw', [], disk)
      expect(twice.report.operations.filter(({ changed }) => changed.length > 0)).toEqual([])
    })
  })

  test('is refused with a private key in it, which is named', async () => {
    const disk = join(folder, 'key.raw')
    await cp(provisioned, disk)
    const key = {
      kind: 'write',
      path: '/srv/app/server.key',
      content: Buffer.from(PEM),
      mode: 0o600,
    } as const
    await (await root(disk)).apply([{ ...key, over: undefined }])
    await expect(sealed('key-sealed.raw', [], disk)).rejects.toMatchObject({
      code: 'check-failed',
      message: expect.stringMatching(/a private key in \/srv\/app\/server\.key \(first at byte \d+\)$/),
    })
  })

  test('is refused when it is damaged, with what xfs_repair says', async () => {
    const disk = join(folder, 'damaged.raw')
    await cp(provisioned, disk)
    const alone = await xfsAlone(disk, join(folder, 'damaged.img'))
    await run('xfs_db', ['-x', '-c', 'path /srv', '-c', 'write -d core.nlinkv2 7', alone])
    await run('dd', [`if=${alone}`, `of=${disk}`, 'bs=1M', 'seek=2', 'conv=notrunc,sparse', 'status=none'])
    await expect(sealed('damaged-sealed.raw', [], disk)).rejects.toThrow(/xfs_repair finds damage: .*nlink/)
  })
})
