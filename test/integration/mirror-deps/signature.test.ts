import { createHash } from 'node:crypto'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import { sha256 } from '../../../actions/lib/files/digest.ts'
import type { LockedFile } from '../../../actions/lib/lock/lock.ts'
import { objectPath } from '../../../actions/lib/mirror/store.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { fetchAll } from '../../../actions/mirror-deps/fetch/fetch.ts'
import { Ledger } from '../../../actions/mirror-deps/fetch/ledger.ts'
import { proveFile } from '../../../actions/mirror-deps/file/proof.ts'
import { type FileEntry, lockFile, wantedOfFiles } from '../../../actions/mirror-deps/file/source.ts'
import type { ProofOptions } from '../../../actions/mirror-deps/proof/proof.ts'
import type { Resolver } from '../../../actions/mirror-deps/resolver.ts'
import { scratch } from './folder.ts'
import { Signer } from './keys.ts'
import { Lines } from './lines.ts'
import { bytes, type Upstream, upstream } from './upstream.ts'

const folder = await scratch()
const debian = await Signer.make(join(folder, 'debian'), 'debian')
const stranger = await Signer.make(join(folder, 'stranger'), 'stranger')
const old = await Signer.make(join(folder, 'old'), 'old', { today: '20200101T000000', expires: '1y' })
afterAll(async () => {
  for (const name of ['debian', 'stranger', 'old'])
    await run('gpgconf', ['--homedir', join(folder, name), '--kill', 'gpg-agent'], { allowFailure: true })
})

const image = 'an image'
const sha512 = (text: string) => createHash('sha512').update(text).digest('hex')
let count = 0

/** A mirror of its own. */
function place() {
  const home = join(folder, String(++count))
  const log = new Lines()
  const ledger = new Ledger()
  const work = { log, signal: new AbortController().signal, workDirectory: join(home, 'work') }
  const paths = { store: join(home, 'store'), shared: undefined }
  return { log, ledger, resolver: { work, paths, ledger } as unknown as Resolver }
}

function entryOf(
  from: Upstream,
  signature: string,
  keyring: string,
  more: Partial<FileEntry> = {},
): FileEntry {
  const [url, sign] = ['/cd/debian.iso', signature].map((path) => from.url + path)
  return { name: 'debian', url: url!, mirrors: [], signature: sign, keyring, ...more }
}

async function locked(entry: FileEntry) {
  const there = place()
  await mkdir(there.resolver.work.workDirectory, { recursive: true })
  return { ...there, file: await lockFile('iso', entry, there.resolver) }
}

const proof = (file: LockedFile, resolver: Resolver) =>
  proveFile('iso', file, resolver as unknown as ProofOptions)

describe('a file is what its owner signed', () => {
  const list = `${'0'.repeat(64)}  netinst.iso\n${sha256(image)}  debian.iso\n`
  const tagged = `# debian.iso: 8 bytes\nSHA256 (debian.iso) = ${sha256(image)}\n`
  test.each([
    [
      '.sig over the file, binary key',
      '/cd/debian.iso.sig',
      () => debian.sign(image, 'binary'),
      'binary',
      {},
    ],
    [
      '.asc over the file, armoured key',
      '/cd/debian.iso.asc',
      () => debian.sign(image, 'armoured'),
      'armoured',
      {},
    ],
    [
      'SHA256SUMS.sign',
      '/cd/SHA256SUMS.sign',
      () => debian.sign(list, 'armoured'),
      'armoured',
      { SHA256SUMS: list },
    ],
    [
      'SHA512SUMS.gpg',
      '/cd/SHA512SUMS.gpg',
      () => debian.sign(`${sha512(image)} *./debian.iso\n`, 'binary'),
      'binary',
      { SHA512SUMS: `${sha512(image)} *./debian.iso\n` },
    ],
    ['a clearsigned CHECKSUM', '/cd/CHECKSUM', () => debian.sign(tagged, 'clear'), 'binary', {}],
    [
      'a clearsigned list that ends in .asc',
      '/cd/SHA256SUMS.asc',
      () => debian.sign(list, 'clear'),
      'binary',
      {},
    ],
  ] as const)('%s', async (_, signature, sign, form, lists) => {
    await using from = await upstream({
      '/cd/debian.iso': bytes(image),
      [signature]: bytes(await sign()),
      ...Object.fromEntries(Object.entries(lists).map(([name, text]) => [`/cd/${name}`, bytes(text)])),
    })
    const entry = entryOf(from, signature, await debian.key(form), { license: 'GPL-2.0-or-later' })
    const { file, resolver, ledger } = await locked(entry)
    expect(file).toMatchObject({ sha256: sha256(image), size: 8, license: 'GPL-2.0-or-later' })
    const name = form === 'binary' ? 'keys/key.gpg' : 'keys/key.asc'
    const addresses = [signature, ...Object.keys(lists).map((list) => `/cd/${list}`)]
    expect(file.evidence.map(({ path }) => path)).toEqual(
      [...addresses.map((path) => from.url + path), name].sort(),
    )
    expect(file.sha512).toBe(signature.includes('512') ? sha512(image) : undefined)
    expect(ledger.rows.get('iso debian')).toMatchObject({ artefacts: addresses.length + 2 })

    // Elsewhere, from the lock alone; then offline.
    const there = place()
    const { store } = there.resolver.paths
    const fetching = {
      store,
      sharedStore: undefined,
      log: there.log,
      signal: there.resolver.work.signal,
      verify: false,
    }
    await fetchAll(wantedOfFiles('iso', [file], [entry]), fetching)
    await from[Symbol.asyncDispose]()
    expect(await proof(file, there.resolver)).toEqual([])
    expect(await readFile(objectPath(store, file.sha256), 'utf8')).toBe(image)
    expect(await proof({ ...file, sha512: sha512('other') }, resolver)).toEqual([
      expect.stringContaining('iso debian: other bytes than locked: its sha512 is not'),
    ])
    // What is locked is something else that the mirror has.
    const other = { ...file, sha256: file.evidence[0]!.sha256 }
    expect((await proof(other, resolver)).at(-1)).toMatch(/^iso debian: (the signature|its signed list)/)
    // Upstream took the signature back before it was fetched again.
    await rm(objectPath(store, file.evidence.find(({ path }) => path.endsWith(signature))!.sha256))
    expect(await proof(file, there.resolver)).toEqual([])
    expect(there.log.lines.join()).toContain('not proved by its signature, only by the lock')
  })
})

describe('a signature that does not hold', () => {
  test('other bytes: key, signature and file are named', async () => {
    const signature = await debian.sign('another image', 'binary')
    await using from = await upstream({
      '/cd/debian.iso': bytes(image),
      '/cd/debian.iso.sig': bytes(signature),
    })
    const key = await debian.key('binary')
    await expect(locked(entryOf(from, '/cd/debian.iso.sig', key))).rejects.toMatchObject({
      code: 'digest-mismatch',
      message: `iso debian: the signature does not hold: ${from.url}/cd/debian.iso.sig: key ${await debian.id()} did not sign these bytes: somebody changed them`,
    })
  })

  test('an unknown key', async () => {
    const signature = await stranger.sign(image, 'armoured')
    await using from = await upstream({
      '/cd/debian.iso': bytes(image),
      '/cd/debian.iso.asc': bytes(signature),
    })
    const key = await debian.key('armoured')
    await expect(locked(entryOf(from, '/cd/debian.iso.asc', key))).rejects.toMatchObject({
      code: 'digest-mismatch',
      message: `iso debian: the signature does not hold: ${from.url}/cd/debian.iso.asc: it is signed by key ${await stranger.id()}, which is not among the keys`,
    })
  })

  test('a key that has expired since: refused, unless the spec vouches for the bytes; proved all the same', async () => {
    const signature = await old.sign(image, 'binary')
    await using from = await upstream({
      '/cd/debian.iso': bytes(image),
      '/cd/debian.iso.sig': bytes(signature),
    })
    const key = await old.key('binary')
    const said = `key ${await old.id()} has expired since (2020-12-31)`
    await expect(locked(entryOf(from, '/cd/debian.iso.sig', key))).rejects.toMatchObject({
      code: 'digest-mismatch',
      message: `iso debian: the signature does not hold: ${from.url}/cd/debian.iso.sig: ${said}`,
      hint: expect.stringContaining('sha256:'),
    })
    const entry = entryOf(from, '/cd/debian.iso.sig', key, { sha256: sha256(image) })
    const { file, log, resolver } = await locked(entry)
    expect(log.lines).toContain(`iso debian: ${said}`)
    expect(await proof(file, resolver)).toEqual([])
  })

  test('a page instead of a signature, or something that is none', async () => {
    await using from = await upstream({
      '/cd/debian.iso': bytes(image),
      '/cd/debian.iso.sig': bytes('<!doctype html>'),
      '/cd/debian.iso.asc': bytes('see you'),
    })
    const key = await debian.key('binary')
    await expect(locked(entryOf(from, '/cd/debian.iso.sig', key))).rejects.toMatchObject({
      message: expect.stringContaining('debian.iso.sig could not be fetched (it gives an HTML page'),
    })
    await expect(locked(entryOf(from, '/cd/debian.iso.asc', key))).rejects.toMatchObject({
      message: expect.stringContaining('debian.iso.asc: it is not signed'),
    })
  })

  test('a list that names other files, or other bytes than there are or than the spec says', async () => {
    const list = `${sha256('another image')}  debian.iso\n`
    await using from = await upstream({
      '/cd/debian.iso': bytes(image),
      '/cd/other.iso': bytes(image),
      '/cd/SHA256SUMS': bytes(list),
      '/cd/SHA256SUMS.sign': bytes(await debian.sign(list, 'binary')),
    })
    const key = await debian.key('binary')
    const entry = entryOf(from, '/cd/SHA256SUMS.sign', key)
    await expect(locked({ ...entry, url: `${from.url}/cd/other.iso` })).rejects.toMatchObject({
      code: 'gone',
      message: `iso debian: the signed list at ${from.url}/cd/SHA256SUMS does not name other.iso`,
    })
    await expect(locked(entry)).rejects.toMatchObject({
      code: 'digest-mismatch',
      message: expect.stringContaining(`expected sha256 ${sha256('another image')}, got ${sha256(image)}`),
    })
    await expect(locked({ ...entry, sha256: sha256(image) })).rejects.toMatchObject({
      message: expect.stringMatching(/its signed list says sha256 .*, the spec says /),
    })
  })
})

describe('a file that nobody signed', () => {
  test('is locked as it is now, which is said; a sha512 of the spec is checked and kept', async () => {
    await using from = await upstream({ '/cd/debian.iso': bytes(image) })
    const entry: FileEntry = { name: 'debian', url: `${from.url}/cd/debian.iso`, mirrors: [] }
    const { log, file } = await locked(entry)
    expect(log.lines).toEqual([
      `iso debian: nothing says what it should be; locked as it is now, sha256 ${sha256(image)}`,
    ])
    expect(file).toMatchObject({ license: 'NOASSERTION', evidence: [] })
    const checked = await locked({ ...entry, sha512: sha512(image) })
    expect(checked.file.sha512).toBe(sha512(image))
    expect(checked.log.lines).toEqual([])
    await expect(locked({ ...entry, sha512: sha512('') })).rejects.toMatchObject({
      code: 'digest-mismatch',
      message: expect.stringContaining(`expected sha512 ${sha512('')}, got ${sha512(image)}`),
    })
  })
})
