import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, jest, test } from '@jest/globals'
import { defaults } from '../../../actions/appliance/build.ts'
import { sha256 } from '../../../actions/lib/files/digest.ts'
import { readLock, writeLock } from '../../../actions/lib/lock/file.ts'
import type { Lock, LockedDebRepository } from '../../../actions/lib/lock/lock.ts'
import { serveTree } from '../../../actions/lib/mirror/serve.ts'
import { objectPath } from '../../../actions/lib/mirror/store.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { execute } from '../../../actions/lib/stage/execute.ts'
import { openProject } from '../../../actions/lib/stage/project.ts'
import { mirrorDeps } from '../../../actions/mirror-deps/stage.ts'
import { contentsOf, publish } from './archive.ts'
import { scratch } from './folder.ts'
import { Lines } from './lines.ts'
import { signingKey } from './signing-key.ts'

jest.setTimeout(120_000)
process.env.APPLIANCE_CACHE = 'off'
const folder = await scratch()
const key = await signingKey()
const archive = await publish(
  join(folder, 'served/debian'),
  {
    bookworm: [
      { name: 'base', version: '12', arch: 'all', control: { Essential: 'yes' } },
      { name: 'web', version: '1.22', control: { Depends: 'data (>= 1)' } },
      { name: 'data', version: '1:1.22', arch: 'all' },
    ],
  },
  { key },
)

async function stage(directory: string, given: { verify?: true; rereads?: true } = {}) {
  const log = new Lines()
  const execution = await execute(
    mirrorDeps,
    await openProject(directory, 'appliance.yml'),
    { ...defaults(mirrorDeps.inputs), verify: given.verify ?? false },
    {
      log,
      signal: new AbortController().signal,
      verify: given.rereads ?? false,
      inside: () => Promise.reject(new Error('no')),
    },
  )
  return { ...execution, lines: log.lines }
}

/** Mirrored once; upstream has gone since. */
const whole = join(folder, 'a whole project')
{
  await using server = await serveTree(join(folder, 'served'), '127.0.0.1', 0)
  const source = `{ name: debian, uri: '${server.url}/debian', suites: [bookworm], signed_by: ${archive.keyring}, packages: [web] }`
  await mkdir(whole)
  await writeFile(
    join(whole, 'appliance.yml'),
    `name: box\nversion: 1.0.0\nmirror:\n  deb:\n    - ${source}\n`,
  )
  await stage(whole)
}

let count = 0
/** A mirrored project, in a folder with a blank in its name. */
async function mirrored() {
  const directory = join(folder, `a project ${++count}`)
  await run('cp', ['-a', whole, directory])
  const store = join(directory, 'build/mirror-deps/store')
  return {
    directory,
    store,
    tree: join(directory, 'build/mirror-deps/tree/deb/debian'),
    verify: () => stage(directory, { verify: true }),
    /** Changes the lock behind everybody's back, and gives what it names to the store. */
    async forge(
      change: (repository: LockedDebRepository, lock: Lock) => void,
      objects: (string | Uint8Array)[] = [],
    ) {
      const path = join(directory, 'appliance.lock.json')
      const lock = (await readLock(path))!
      change(lock.deb[0]!, lock)
      await writeLock(path, lock)
      for (const object of objects) {
        const to = objectPath(store, sha256(object))
        await writeFile(join(await made(join(to, '..')), sha256(object)), object)
      }
    },
    async evidence(path: string): Promise<string> {
      const lock = (await readLock(join(directory, 'appliance.lock.json')))!
      return objectPath(store, lock.deb[0]!.evidence.find((one) => one.path === path)!.sha256)
    },
  }
}

async function made(path: string): Promise<string> {
  await mkdir(path, { recursive: true })
  return path
}

/** Replaces one object of the evidence in a lock. */
const replaced = (path: string, object: string | Uint8Array) => (repository: LockedDebRepository) => {
  const one = repository.evidence.find((evidence) => evidence.path === path)!
  Object.assign(one, { sha256: sha256(object), size: Buffer.from(object).length })
}
const RELEASE = 'dists/bookworm/InRelease'
const INDEX = 'dists/bookworm/main/binary-amd64/Packages.gz'
/** What a clearsigned file says. */
const textOf = (signed: string) => /\n\n([\s\S]*)-----BEGIN PGP SIGNATURE/.exec(signed)![1]!.trimEnd()

describe('--verify', () => {
  test('proves bytes, signatures and that all installs, offline, and changes nothing', async () => {
    const { directory, verify } = await mirrored()
    const before = await contentsOf(join(directory, 'build'))
    const { lines, state } = await verify()
    expect(state).toBe('up-to-date')
    expect(lines).toEqual([
      expect.stringMatching(/^proved 6 artefacts: every byte, 4\.\d kB \(\d.*s\)$/),
      expect.stringMatching(/^proved the repositories: every file as it was written, and no other \(/),
      expect.stringMatching(/^proved deb debian: signature → index → 3 packages \(/),
      expect.stringMatching(/^proved deb debian: all install into an empty root from the mirror alone \(/),
    ])
    expect(await contentsOf(join(directory, 'build'))).toEqual(before)
  })

  test('finds a changed byte, by the name of what was changed', async () => {
    const { directory, store, verify } = await mirrored()
    const { deb } = (await readLock(join(directory, 'appliance.lock.json')))!
    const web = deb[0]!.packages.find(({ name }) => name === 'web')!
    const bytes = await readFile(objectPath(store, web.sha256))
    bytes[bytes.length - 1]! ^= 1
    await writeFile(objectPath(store, web.sha256), bytes)
    await expect(verify()).rejects.toMatchObject({
      code: 'digest-mismatch',
      message: expect.stringContaining(
        `deb web 1.22 of debian: its bytes are not those of the lock (sha256 ${web.sha256})`,
      ),
      hint: expect.stringContaining('without --verify'),
    })
  })

  test('finds an index that is not the one that was signed, although the lock names it', async () => {
    const { forge, verify, evidence } = await mirrored()
    const index = await readFile(await evidence(INDEX))
    const other = Buffer.concat([index, index])
    await forge(replaced(INDEX, other), [other])
    await expect(verify()).rejects.toMatchObject({
      code: 'digest-mismatch',
      message: expect.stringContaining(`deb debian: ${INDEX} is not the index that was signed`),
    })
  })

  test('finds a package that no signed index has, although the lock names it', async () => {
    const { forge, verify } = await mirrored()
    await forge(
      ({ packages }) =>
        Object.assign(packages.find(({ name }) => name === 'data')!, { sha256: sha256('!'), size: 1 }),
      ['!'],
    )
    await expect(verify()).rejects.toMatchObject({
      code: 'digest-mismatch',
      message: expect.stringMatching(/deb debian: data 1:1.22 \(sha256 \w{12}…\) is in no signed index/),
    })
  })

  test('finds a forged signature, and the key of who forged it', async () => {
    const { forge, verify, evidence } = await mirrored()
    const forger = await signingKey()
    const text = textOf(await readFile(await evidence(RELEASE), 'utf8'))
    const signed = await forger.clearSign(text, new Date('2026-11-21T09:15:44Z'))
    await forge(replaced(RELEASE, signed), [signed])
    await expect(verify()).rejects.toMatchObject({
      code: 'digest-mismatch',
      message: expect.stringContaining(
        `deb debian: ${RELEASE}: it is signed by key ${forger.id}, which is not among the keys`,
      ),
    })
  })

  test('finds bytes changed under a good signature', async () => {
    const { forge, verify, evidence } = await mirrored()
    const signed = (await readFile(await evidence(RELEASE), 'utf8')).replace(
      'Label: Example',
      'Label: Exomple',
    )
    await forge(replaced(RELEASE, signed), [signed])
    await expect(verify()).rejects.toMatchObject({
      message: expect.stringContaining(`${RELEASE}: key ${key.id} did not sign these bytes`),
    })
  })

  test('tells a key that had expired when it signed from one that has since', async () => {
    const { forge, verify } = await mirrored()
    const before = await key.expiring(30)
    await forge(replaced('keys/debian.gpg', before), [before])
    await expect(verify()).rejects.toMatchObject({
      code: 'digest-mismatch',
      message: expect.stringMatching(
        new RegExp(
          `InRelease: it was signed on 2026-11-21 by key ${key.id}, which had expired on 2020-01-31`,
        ),
      ),
    })
    const since = await key.expiring(daysUntil('2026-11-22'))
    await forge(replaced('keys/debian.gpg', since), [since])
    expect((await verify()).lines).toContainEqual(
      expect.stringMatching(
        new RegExp(`^deb debian: .*InRelease: key ${key.id} has expired since \\(2026-11-2`),
      ),
    )
  })

  test('finds a package whose dependency is not in the lock', async () => {
    const { directory, forge, verify } = await mirrored()
    await forge((repository) => {
      repository.packages = repository.packages.filter(({ name }) => name !== 'data')
    })
    await stage(directory)
    await expect(verify()).rejects.toMatchObject({
      code: 'unsatisfiable',
      message: expect.stringMatching(/deb debian: .*web : Depends: data \(>= 1\)/),
    })
  })

  test('finds an index of the mirror’s own that was changed', async () => {
    const { tree, verify } = await mirrored()
    await appendFile(join(tree, 'dists/appliance/main/binary-amd64/Packages.gz'), '\0')
    await rm(join(tree, 'dists/appliance/main/binary-amd64/Packages'))
    await expect(verify()).rejects.toMatchObject({
      message: expect.stringMatching(
        /deb debian: .*cannot be trusted: an index is not the one that was signed/,
      ),
    })
  })

  test('says which evidence is gone, and proves the rest', async () => {
    const { verify, evidence } = await mirrored()
    await rm(await evidence(INDEX))
    const { lines } = await verify()
    expect(lines).toContainEqual(
      `deb debian: not proved from upstream's signature, only by the lock: ${INDEX} is not in the mirror`,
    )
  })

  test('says all that is wrong at once', async () => {
    const { store, tree, forge, verify } = await mirrored()
    await forge(({ packages }) => Object.assign(packages[0]!, { sha256: sha256('!'), size: 1 }), ['?'])
    await rm(join(tree, 'dists'), { recursive: true })
    await rm(join(store, 'nothing'), { force: true })
    const fault = await verify().then(
      () => undefined,
      (error: Error) => error,
    )
    expect(fault).toMatchObject({
      code: 'digest-mismatch',
      message: expect.stringMatching(
        /is not in the mirror\n(tree\/.*dists.* is no longer there\n)+.*is in no signed index\n.*does not have a Release file/,
      ),
    })
  })

  test('needs a mirror, and a lock that fits', async () => {
    const { directory, verify } = await mirrored()
    const spec = join(directory, 'appliance.yml')
    await writeFile(spec, (await readFile(spec, 'utf8')).replace('packages: [web]', 'packages: [base]'))
    await expect(verify()).rejects.toMatchObject({
      code: 'input',
      message: expect.stringContaining('out of step'),
    })
    await rm(join(directory, 'build'), { recursive: true })
    await expect(verify()).rejects.toMatchObject({ code: 'stale' })
  })
})

function daysUntil(day: string): number {
  return (Date.parse(`${day}T00:00:00Z`) - Date.parse('2020-01-01T00:00:00Z')) / 86_400_000
}
