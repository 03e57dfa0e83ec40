import { access, mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { sha256 } from '../../../actions/lib/files/digest.ts'
import { objectPath } from '../../../actions/lib/mirror/store.ts'
import { run } from '../../../actions/lib/process/command.ts'
import {
  type FetchOptions,
  fetchAll,
  type LockedWanted,
  lacking,
} from '../../../actions/mirror-deps/fetch/fetch.ts'
import { Ledger } from '../../../actions/mirror-deps/fetch/ledger.ts'
import { scratch } from './folder.ts'
import { Lines } from './lines.ts'
import { breaks, bytes, hangs, missing, status, type Upstream, upstream } from './upstream.ts'

const folder = await scratch()
let count = 0

function options(more: Partial<FetchOptions> = {}): FetchOptions & { log: Lines; ledger: Ledger } {
  const [log, ledger] = [new Lines(), new Ledger()]
  const store = join(folder, String(++count), 'store')
  return {
    store,
    sharedStore: undefined,
    signal: new AbortController().signal,
    verify: false,
    ...more,
    log,
    ledger,
  }
}

/** A package of that content, to be had at these paths of the upstream. */
function deb(name: string, content: string, { url }: Upstream, ...paths: string[]): LockedWanted {
  const urls = paths.map((path) => url + path)
  const source = 'deb debian'
  return { source, title: `deb ${name} of debian`, urls, sha256: sha256(content), size: content.length }
}

/** Bytes that one run downloads. */
async function downloadedBy(wanted: LockedWanted[], given: FetchOptions): Promise<number> {
  const ledger = new Ledger()
  await fetchAll(wanted, { ...given, ledger })
  return ledger.downloadedBytes
}

async function filesIn(store: string): Promise<string[]> {
  const found = await readdir(store, { recursive: true, withFileTypes: true })
  return found.filter((entry) => entry.isFile()).map(({ name }) => name)
}

describe('what arrives', () => {
  test('lies in the store by its digest, and a second run asks for nothing', async () => {
    await using from = await upstream({ '/a': bytes('alpha'), '/b': bytes('beta') })
    const given = options()
    const wanted = [deb('a', 'alpha', from, '/a'), deb('b', 'beta', from, '/b')]
    expect(await downloadedBy(wanted, given)).toBe(9)
    expect(given.log).toMatchObject({ counted: 9, total: 9 })
    expect(await readFile(objectPath(given.store, sha256('alpha')), 'utf8')).toBe('alpha')
    expect(await downloadedBy(wanted, given)).toBe(0)
    expect(from.asked).toHaveLength(2)
    expect(await lacking(wanted, given)).toBe(0)
  })

  test('is tried again after a broken connection, a 503 and a 429; the progress counts each byte once', async () => {
    await using from = await upstream({
      '/a': [breaks('alp'), bytes('alpha!')],
      '/b': [status(503), status(429), bytes('beta')],
    })
    const given = options()
    await fetchAll([deb('a', 'alpha!', from, '/a'), deb('b', 'beta', from, '/b')], given)
    expect(from.asked.sort()).toEqual(['/a', '/a', '/b', '/b', '/b'])
    expect(given.log.counted).toBe(10)
  })

  test('comes from the next address when the first one lacks it or lies', async () => {
    await using from = await upstream({ '/lies': bytes('alphA'), '/a': bytes('alpha') })
    const given = options()
    await fetchAll([deb('a', 'alpha', from, '/none', '/lies', '/a')], given)
    expect(from.asked).toEqual(['/none', '/lies', '/a'])
  })

  test('is shared with the other projects of this user, but only if it is right', async () => {
    await using from = await upstream({ '/a': bytes('alpha'), '/b': bytes('beta') })
    const sharedStore = join(folder, 'shared')
    const wanted = [deb('a', 'alpha', from, '/a'), deb('b', 'beta', from, '/b')]
    await fetchAll(wanted, options({ sharedStore }))
    await writeFile(objectPath(sharedStore, sha256('beta')), 'BETA')
    const second = options({ sharedStore })
    expect(await downloadedBy(wanted, second)).toBe(4)
    expect(from.asked.sort()).toEqual(['/a', '/b', '/b'])
    expect(await lacking(wanted, { ...second, verify: true })).toBe(0)
  })
})

describe('several sources', () => {
  test('are counted each for itself, also what two of them want; a damaged object is fetched again', async () => {
    await using from = await upstream({ '/a': bytes('alpha'), '/b': bytes('beta') })
    const given = options()
    const a = deb('a', 'alpha', from, '/a')
    const wanted = [a, { ...a, source: 'tools' }, { ...deb('b', 'beta', from, '/b'), source: 'tools' }]
    await fetchAll(wanted, given)
    expect(from.asked.sort()).toEqual(['/a', '/b'])
    expect([...given.ledger.rows]).toMatchObject([
      ['deb debian', { artefacts: 1, bytes: 5, downloaded: 1, downloadedBytes: 5, found: 0 }],
      ['tools', { artefacts: 2, bytes: 9, downloaded: 1, downloadedBytes: 4, found: 1 }],
    ])
    await writeFile(objectPath(given.store, sha256('beta')), 'BETA')
    const again = { ...given, ledger: new Ledger() }
    await fetchAll(wanted, again)
    expect(again.ledger.rows.get('tools')).toMatchObject({ downloaded: 1, refetched: 1, found: 1 })
  })

  test('whose credentials are not set are named all at once, before anything is asked for', async () => {
    await using from = await upstream({ '/a': bytes('alpha'), '/b': bytes('beta') })
    const login = (variable: string) => ({ auth: { token: `env:${variable}` }, origin: from.url })
    const wanted = [
      { ...deb('a', 'alpha', from, '/a'), source: 'file a', login: login('APPLIANCE_NOT_SET') },
      { ...deb('b', 'beta', from, '/b'), source: 'file b', login: login('APPLIANCE_NOR_THIS') },
    ]
    await expect(fetchAll(wanted, options())).rejects.toMatchObject({
      code: 'input',
      message: expect.stringMatching(/^file a: .*APPLIANCE_NOT_SET.*\nfile b: .*APPLIANCE_NOR_THIS/),
    })
    expect(from.asked).toEqual([])
  })
})

describe('what does not arrive', () => {
  test('other bytes: which, expected and got are named, and nothing of it stays', async () => {
    await using from = await upstream({ '/a': bytes('alphA') })
    const given = options()
    await expect(fetchAll([deb('a', 'alpha', from, '/a')], given)).rejects.toMatchObject({
      code: 'digest-mismatch',
      message: expect.stringMatching(
        new RegExp(`deb a of debian: ${from.url}/a .*${sha256('alpha')}.*${sha256('alphA')}`),
      ),
    })
    expect(from.asked).toEqual(['/a'])
    expect(await filesIn(given.store)).toEqual([])
  })

  test('other bytes of several: each is named, with what is gone; the rest is kept', async () => {
    await using from = await upstream({ '/a': bytes('alphA'), '/b': bytes('betA'), '/d': bytes('delta') })
    const given = options()
    const wanted = [
      deb('a', 'alpha', from, '/a'),
      { ...deb('b', 'beta', from, '/b'), promiser: 'the spec' as const },
      deb('c', 'gamma', from, '/c'),
      deb('d', 'delta', from, '/d'),
    ]
    await expect(fetchAll(wanted, given)).rejects.toMatchObject({
      code: 'digest-mismatch',
      message: expect.stringMatching(
        /^deb a of .* than the lock promises.*\ndeb b of .* than the spec promises.*\ndeb c of debian is no longer at .*$/,
      ),
    })
    expect(await filesIn(given.store)).toEqual([sha256('delta')])
  })

  test('another length is refused before the bytes are read', async () => {
    await using from = await upstream({ '/a': hangs('a much longer text') })
    await expect(fetchAll([deb('a', 'alpha', from, '/a')], options())).rejects.toMatchObject({
      code: 'digest-mismatch',
      message: expect.stringContaining('expected 5 bytes'),
    })
  })

  test('404 everywhere: all that is gone is named, with what to do; the rest is kept', async () => {
    await using from = await upstream({ '/a': missing, '/b': status(410), '/c': bytes('gamma') })
    const given = options()
    const wanted = [
      deb('a', 'alpha', from, '/a', '/old/a'),
      deb('b', 'beta', from, '/b'),
      deb('c', 'gamma', from, '/c'),
    ]
    await expect(fetchAll(wanted, given)).rejects.toMatchObject({
      code: 'gone',
      message: expect.stringMatching(/deb [ab] of debian is no longer at .*; nor are deb [ab] of debian$/),
      hint: expect.stringContaining('appliance lock --update'),
    })
    expect(await filesIn(given.store)).toEqual([sha256('gamma')])
  })

  test('404 upstream is gone, although the snapshots might have it if they answered', async () => {
    await using from = await upstream({ '/snapshot/a': status(502) })
    const wanted = { ...deb('a', 'alpha', from, '/a', '/snapshot/a'), tries: 2 }
    await expect(fetchAll([wanted], options())).rejects.toMatchObject({
      code: 'gone',
      message: expect.stringMatching(
        /no longer at .*\/a; .*\/snapshot\/a could not .*HTTP 502; tried 2 times/,
      ),
    })
  })

  test('nobody answers: the address and the tries are named', async () => {
    const closed = await upstream({})
    await closed[Symbol.asyncDispose]()
    const wanted = { ...deb('a', 'alpha', closed, '/a'), tries: 2 }
    await expect(fetchAll([wanted], options())).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringMatching(new RegExp(`${closed.url}/a .*ECONNREFUSED.*tried 2 times`)),
    })
  })

  test('evidence that upstream replaced is a warning, not a failure', async () => {
    await using from = await upstream({ '/InRelease': bytes('newer'), '/a': bytes('alpha') })
    const given = options()
    const evidence = { ...deb('InRelease', 'older', from, '/InRelease'), evidence: true }
    expect(await downloadedBy([evidence, deb('a', 'alpha', from, '/a')], given)).toBe(5)
    expect(given.log.lines.join()).toContain('moved on from 1 signed indexes')
    expect(await lacking([evidence], given)).toBe(0)
  })

  test('an interruption leaves nothing half-written', async () => {
    await using from = await upstream({ '/a': hangs('al'), '/b': hangs('be') })
    const stop = new AbortController()
    const given = options({ signal: stop.signal })
    const fetching = fetchAll([deb('a', 'alph', from, '/a'), deb('b', 'beta', from, '/b')], given)
    while (given.log.counted < 4) await new Promise((resolve) => setTimeout(resolve, 5))
    stop.abort()
    await expect(fetching).rejects.toMatchObject({ name: 'AbortError' })
    expect(await filesIn(given.store)).toEqual([])
    expect(given.log.counted).toBe(0)
  })

  const root = process.getuid?.() === 0
  const named = root ? 'a full disk is named' : 'a full disk (skipped: only root can mount a small one)'
  ;(root ? test : test.skip)(named, async () => {
    const content = 'x'.repeat(1 << 20)
    await using from = await upstream({ '/a': bytes(content) })
    const small = join(folder, 'small')
    await mkdir(small)
    await run('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'appliance-test', small])
    try {
      const given = options({ store: join(small, 'store') })
      await expect(fetchAll([deb('a', content, from, '/a')], given)).rejects.toMatchObject({
        code: 'disk-full',
        message: expect.stringContaining('deb a of debian'),
      })
      expect(from.asked).toEqual(['/a'])
      expect(await filesIn(given.store)).toEqual([])
    } finally {
      await run('umount', [small])
    }
  })
})

describe('what is there already', () => {
  async function fetched(from: Upstream) {
    const given = options()
    const wanted = [deb('a', 'alpha', from, '/a')]
    await fetchAll(wanted, given)
    return { given, wanted, path: objectPath(given.store, sha256('alpha')) }
  }

  test('changed in place it is noticed, by its time, and fetched again', async () => {
    await using from = await upstream({ '/a': bytes('alpha') })
    const { given, wanted, path } = await fetched(from)
    await writeFile(path, 'ALPHA')
    expect(await lacking(wanted, given)).toBe(1)
    expect(await downloadedBy(wanted, given)).toBe(5)
    expect(given.log.lines.join()).toContain("deb a of debian: the mirror's copy is damaged")
    expect(await readFile(path, 'utf8')).toBe('alpha')
  })

  test('changed behind our back, time and all, it takes --verify', async () => {
    await using from = await upstream({ '/a': bytes('alpha') })
    const { given, wanted, path } = await fetched(from)
    const before = await stat(path)
    await writeFile(path, 'ALPHA')
    await utimes(path, before.atime, before.mtime)
    // A file system's times are finer than what utimes sets: the record is made to say what it would.
    await rm(join(dirname(given.store), 'verified.json'))
    const look = await stat(path)
    const record = { [sha256('alpha')]: `${look.size} ${look.mtimeMs} ${look.ino}` }
    await writeFile(join(dirname(given.store), 'verified.json'), JSON.stringify(record))
    expect(await lacking(wanted, given)).toBe(0)
    expect(await lacking(wanted, { ...given, verify: true })).toBe(1)
    expect(await downloadedBy(wanted, { ...given, verify: true })).toBe(5)
  })

  test('what a killed run left half-written is swept away', async () => {
    await using from = await upstream({ '/a': bytes('alpha') })
    const given = options()
    const left = `${objectPath(given.store, sha256('other'))}.0123abcd.partial`
    await mkdir(dirname(left), { recursive: true })
    await writeFile(left, 'oth')
    await fetchAll([deb('a', 'alpha', from, '/a')], given)
    await expect(access(left)).rejects.toMatchObject({ code: 'ENOENT' })
  })
})
