import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import {
  chmod,
  copyFile,
  mkdir,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { describe, expect, jest, test } from '@jest/globals'
import { sha256 } from '../../../actions/lib/files/digest.ts'
import { exists } from '../../../actions/lib/files/exists.ts'
import { BLOCK, padded, ustarHeader } from '../../../actions/lib/files/ustar.ts'
import type { Lock, LockedGit } from '../../../actions/lib/lock/lock.ts'
import { promisedBy } from '../../../actions/lib/lock/promised.ts'
import { lockText } from '../../../actions/lib/lock/text.ts'
import { objectPath, packPath } from '../../../actions/lib/mirror/store.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { takeFrom } from '../../../actions/mirror-deps/archive/take.ts'
import { writeArchive } from '../../../actions/mirror-deps/archive/write.ts'
import { lockGit } from '../../../actions/mirror-deps/git/source.ts'
import { lockOf } from '../../fixtures/lock.ts'
import { scratch } from './folder.ts'
import { Lines } from './lines.ts'

jest.setTimeout(60_000)
const folder = await scratch()
const signal = new AbortController().signal
let count = 0
const fresh = () => join(folder, String(++count))

const contents = ['a runtime', '', 'x'.repeat(3000), 'an index']
const files = contents.map((content, at) => ({
  name: `f${at}`,
  url: `https://example.test/${at}`,
  mirrors: [],
  license: 'NOASSERTION',
  sha256: sha256(content),
  size: content.length,
  evidence: [],
}))

async function storeOf(bodies: readonly string[]): Promise<string> {
  const store = fresh()
  for (const body of bodies) await put(objectPath(store, sha256(body)), body)
  return store
}

async function put(path: string, body: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, body)
}

const lock = lockOf({ file: files })
const store = await storeOf(contents)
const archived = join(fresh(), 'm.tar.zst')
const log = new Lines()
await writeArchive(lock, archived, { store, log, signal })

/** Takes everything that the lock names from an archive into an empty store. */
async function take(file: string, from: Lock = lock) {
  const into = fresh()
  const promised = promisedBy(from)
  const options = {
    lock: from,
    store: join(into, 'store'),
    objects: new Set(promised.objects.keys()),
    packs: new Set(promised.packs.keys()),
    scratch: join(into, 'scratch'),
    log: new Lines(),
    signal,
  }
  const result = takeFrom(file, options)
  return { into, store: options.store, result: await result.catch((error: Error) => error) }
}

const member = (name: string, body: string | Buffer, change: (header: Buffer) => void = () => {}) => {
  const header = ustarHeader(name, body.length, 0)
  change(header)
  header.write('        ', 148)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([header, Buffer.from(body), Buffer.alloc(padded(body.length) - body.length)])
}
const inStore = (body: string) => member(`store/sha256/${sha256(body).slice(0, 2)}/${sha256(body)}`, body)

async function packed(...members: Buffer[]): Promise<string> {
  const file = join(folder, `hostile-${++count}.tar`)
  await writeFile(file, Buffer.concat([...members, Buffer.alloc(2 * BLOCK)]))
  await run('zstd', ['-q', '--rm', file])
  return `${file}.zst`
}

describe('an archive of a mirror', () => {
  test('is an ordinary tar.zst: the lock first, then the store, by name', async () => {
    const { stdout } = await run('tar', ['--zstd', '-tvf', archived])
    const names = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/))
    expect(names[0]!.at(-1)).toBe('appliance.lock.json')
    const inside = names.slice(1).map((words) => words.at(-1)!)
    expect(inside).toEqual([...inside].sort())
    expect(inside).toHaveLength(contents.length)
    for (const words of names) expect(words.slice(0, 2)).toEqual(['-rw-r--r--', 'root/root'])
    const into = fresh()
    await mkdir(into)
    await run('tar', ['--zstd', '-xf', archived, '-C', into])
    expect(await readFile(join(into, 'appliance.lock.json'), 'utf8')).toBe(lockText(lock))
    expect(await readFile(objectPath(join(into, 'store'), sha256('a runtime')), 'utf8')).toBe('a runtime')
  })

  test('has the same bytes for the same mirror, whatever its files look like and wherever it will lie', async () => {
    const other = await storeOf([...contents].reverse())
    await chmod(objectPath(other, sha256('a runtime')), 0o600)
    await utimes(objectPath(other, sha256('an index')), 1, 1)
    await put(join(other, 'sha256/zz/nobody’s'), 'left over')
    const file = join(fresh(), 'other.tar.zst')
    const named: Lock = { ...lock, archive: { url: 'https://example.test/m', sha256: sha256(''), size: 1 } }
    const written = await writeArchive(named, file, { store: other, log, signal })
    expect(await readFile(file)).toEqual(await readFile(archived))
    expect(written).toEqual({
      sha256: sha256(await readFile(file)),
      size: (await stat(file)).size,
      artefacts: contents.length,
      lost: 0,
    })
  })

  test('is not written from a store that is damaged or lacks something', async () => {
    const damaged = await storeOf(contents)
    await writeFile(objectPath(damaged, sha256('a runtime')), 'a runtimE')
    const file = join(fresh(), 'none.tar.zst')
    const writing = writeArchive(lock, file, { store: damaged, log, signal })
    await expect(writing).rejects.toMatchObject({ code: 'digest-mismatch' })
    await rm(objectPath(damaged, sha256('a runtime')))
    await expect(writeArchive(lock, file, { store: damaged, log, signal })).rejects.toMatchObject({
      code: 'digest-mismatch',
      message: expect.stringContaining(sha256('a runtime')),
    })
    expect(await readdir(dirname(file))).toEqual([])
  })

  test('has no name, and leaves nothing, when its writing ended early; what cannot be written is said', async () => {
    const stop = new AbortController()
    const file = join(fresh(), 'stopped.tar.zst')
    const stopping = new Lines()
    const progress = stopping.progress
    stopping.progress = (title: string, total: number) => {
      stop.abort(new Error('enough'))
      return progress.call(stopping, title, total)
    }
    const writing = writeArchive(lock, file, { store, log: stopping, signal: stop.signal })
    await expect(writing).rejects.toThrow('enough')
    expect(await readdir(dirname(file))).toEqual([])
    await expect(writeArchive(lock, dirname(file), { store, log, signal })).rejects.toMatchObject({
      code: 'input',
      message: `the archive cannot be written to ${dirname(file)} (EISDIR)`,
    })
    expect((await readdir(join(dirname(file), '..'))).join()).not.toContain('partial')
  })

  test('goes without evidence that upstream had lost', async () => {
    const evidence = [{ path: 'SHA256SUMS', sha256: sha256('gone'), size: 4 }]
    const poorer: Lock = { ...lock, file: [{ ...files[0]!, evidence }] }
    const file = join(fresh(), 'poorer.tar.zst')
    expect(await writeArchive(poorer, file, { store, log, signal })).toMatchObject({ artefacts: 1, lost: 1 })
  })

  test('gives an empty store all it had', async () => {
    const { store: into, result } = await take(archived)
    expect(result).toMatchObject({ unknown: 0, damaged: 0, truncated: undefined })
    for (const content of contents)
      expect(await readFile(objectPath(into, sha256(content)), 'utf8')).toBe(content)
    expect(await readdir(join(into, '..'))).toEqual(['store'])
  })

  test('gives git repositories, each looked at object by object', async () => {
    const repository = fresh()
    await run('git', ['init', '-q', '-b', 'main', repository])
    await writeFile(join(repository, 'a.txt'), 'a\n')
    const author = ['-c', 'user.name=a', '-c', 'user.email=a@example.test']
    await run('git', ['-C', repository, 'add', '.'])
    await run('git', ['-C', repository, ...author, 'commit', '-q', '-m', 'one'])
    const from = fresh()
    const work = fresh()
    await mkdir(work)
    const entry = { name: 'r', url: repository, path: repository, ref: 'main' }
    const git: LockedGit = await lockGit(entry as never, { store: from, work, signal } as never)
    const locked = lockOf({ git: [git] })
    const file = join(fresh(), 'git.tar.zst')
    await writeArchive(locked, file, { store: from, log, signal })
    const good = await take(file, locked)
    expect(good.result).toMatchObject({ packs: new Set([git.objects]), damaged: 0 })
    expect(await readFile(packPath(good.store, git.objects))).toEqual(
      await readFile(packPath(from, git.objects)),
    )

    // Another repository's objects under this one's name.
    await writeFile(join(repository, 'a.txt'), 'b\n')
    await run('git', ['-C', repository, ...author, 'commit', '-qa', '--amend', '-m', 'two'])
    const forged = await lockGit(entry as never, { store: from, work, signal } as never)
    await copyFile(packPath(from, forged.objects), packPath(from, git.objects))
    await writeArchive(locked, file, { store: from, log, signal })
    const bad = await take(file, locked)
    expect(bad.result).toMatchObject({ packs: new Set(), damaged: 1 })
    expect(await exists(packPath(bad.store, git.objects))).toBe(false)
  })

  test('that was cut off gives what it gives, and says so', async () => {
    // Too random to be compressed, so that there is something in front of the cut.
    const noise = Array.from({ length: 40 }, (_, at) => {
      const parts = Array.from({ length: 4000 }, (_, part) => sha256(`${at} ${part}`))
      return Buffer.from(parts.join(''), 'hex').toString('latin1')
    })
    const many = lockOf({
      file: noise.map((body, at) => ({
        ...files[0]!,
        name: `n${at}`,
        sha256: createHash('sha256').update(body).digest('hex'),
        size: Buffer.byteLength(body),
      })),
    })
    const file = join(fresh(), 'cut.tar.zst')
    await writeArchive(many, file, { store: await storeOf(noise), log, signal })
    const { size } = await stat(file)
    await truncate(file, Math.floor(size * 0.7))
    const { result, store: into } = await take(file, many)
    expect(result).toMatchObject({ truncated: expect.stringMatching(/./), damaged: 0 })
    const { objects } = result as { objects: Set<string> }
    expect(objects.size).toBeGreaterThan(10)
    expect(objects.size).toBeLessThan(40)
    for (const one of objects)
      expect(
        createHash('sha256')
          .update(await readFile(objectPath(into, one)))
          .digest('hex'),
      ).toBe(one)
  })

  test('with more in it than this lock names is used all the same', async () => {
    const { result } = await take(archived, { ...lock, file: files.slice(0, 1) })
    expect(result).toMatchObject({ unknown: 3, objects: new Set([files[0]!.sha256]) })
  })

  test('with other bytes under a name gives only the others', async () => {
    const [first, , , last] = files
    const name = `store/sha256/${first!.sha256.slice(0, 2)}/${first!.sha256}`
    const { result, store: into } = await take(await packed(member(name, 'a runtimE'), inStore('an index')))
    expect(result).toMatchObject({ damaged: 1, objects: new Set([last!.sha256]) })
    expect(await exists(objectPath(into, first!.sha256))).toBe(false)
  })
})

describe('a hostile archive is refused in one line:', () => {
  const runtime = inStore('a runtime')
  const type = (flag: string) => (header: Buffer) => void header.write(flag, 156)
  const name = `store/sha256/${sha256('a runtime').slice(0, 2)}/${sha256('a runtime')}`
  const link = (header: Buffer) => {
    header.write('2', 156)
    header.write('/etc/passwd', 157)
  }
  test.each<[string, Buffer[], RegExp]>([
    ['an absolute name', [member('/etc/cron.d/x', 'x')], /"\/etc\/cron\.d\/x" is an absolute name/],
    [
      'a name that leads out',
      [member('store/../../x', 'x')],
      /"store\/\.\.\/\.\.\/x" leads out of the mirror/,
    ],
    ['a symbolic link', [member(name, '', link)], /is a symbolic link; .* plain files only/],
    ['a hard link', [member(name, '', type('1'))], /is a hard link/],
    ['a character device', [member(name, '', type('3'))], /is a device/],
    ['a block device', [member(name, '', type('4'))], /is a device/],
    ['a fifo', [member(name, '', type('6'))], /is a fifo/],
    ['a PAX header', [member('PaxHeaders/x', '30 path=/etc/passwd\n', type('x'))], /is an extended header/],
    ['a GNU long name', [member('././@LongLink', '/etc/passwd', type('L'))], /is an extended header/],
    ['the same twice', [runtime, runtime], /is in it twice/],
    ['a name of no store', [member('store/readme', 'x')], /"store\/readme" is no name of a mirror’s store/],
    ['a digest in the wrong folder', [member(name.replace(/\/..\//, '/00/'), 'x')], /is no name/],
    ['a size that lies', [member(name, 'a runtime and more')], /has 18 bytes, the lock says 9/],
    [
      'a size beyond all bounds',
      [member(`store/sha256/aa/${'a'.repeat(64)}`, '', (header) => void header.write('77777777777\0', 124))],
      /far more than the lock promises/,
    ],
    ['no tar at all', [Buffer.alloc(4096, 'x')], /is no tar archive/],
  ])('%s', async (_, members, message) => {
    const { result, into } = await take(await packed(inStore('an index'), ...members))
    expect(result).toMatchObject({ code: 'input', message: expect.stringMatching(message) })
    expect((result as Error).message).not.toContain('\n')
    // What was right before it stays, and nothing else is there.
    const there = (await readdir(into, { recursive: true, withFileTypes: true })).filter(
      (one) => !one.isDirectory(),
    )
    expect(there.map((one) => one.name)).toEqual(expect.arrayContaining([sha256('an index')]))
    expect(there.every((one) => [sha256('an index'), sha256('a runtime')].includes(one.name))).toBe(true)
  })

  test('what zstd did not make', async () => {
    const file = join(folder, 'plain.tar.zst')
    await writeFile(file, 'PK not what it says')
    expect((await take(file)).result).toMatchObject({
      code: 'input',
      message: 'plain.tar.zst is refused: it is not compressed by zstd',
    })
  })

  test('a bomb: gigabytes of nothing in a few kilobytes, in entries that nobody wants', async () => {
    const file = join(folder, 'bomb.tar.zst')
    const zstd = spawn('zstd', ['-q', '-c', '-'], { stdio: ['pipe', 'pipe', 'inherit'] })
    const nothing = Buffer.alloc(32 << 20)
    async function* bomb() {
      for (let at = 0; at < 40; at++) {
        const digest = sha256(String(at))
        const entry = member(`store/sha256/${digest.slice(0, 2)}/${digest}`, nothing)
        yield entry
      }
    }
    await Promise.all([pipeline(bomb, zstd.stdin!), pipeline(zstd.stdout!, createWriteStream(file))])
    expect((await stat(file)).size).toBeLessThan(1 << 20)
    const { result, into } = await take(file)
    expect(result).toMatchObject({ message: expect.stringContaining('far more than the lock promises') })
    expect(await exists(into)).toBe(false)
  })

  test('that is not there', async () => {
    expect((await take('/nowhere/m.tar.zst')).result).toMatchObject({
      code: 'input',
      message: 'there is no archive /nowhere/m.tar.zst',
    })
  })
})
