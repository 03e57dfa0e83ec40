import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import type { Lock } from '../../../actions/lib/lock/lock.ts'
import { lockText } from '../../../actions/lib/lock/text.ts'
import { serveTree } from '../../../actions/lib/mirror/serve.ts'
import { objectPath } from '../../../actions/lib/mirror/store.ts'
import { stageWork } from '../../../actions/lib/stage/execute.ts'
import { openProject } from '../../../actions/lib/stage/project.ts'
import { resolveLock } from '../../../actions/mirror-deps/resolve.ts'
import { mirrorDeps } from '../../../actions/mirror-deps/stage.ts'
import { publish } from './archive.ts'
import { scratch } from './folder.ts'
import { Lines } from './lines.ts'

jest.setTimeout(60_000)
process.env.APPLIANCE_CACHE = 'off'
const folder = await scratch()
const served = join(folder, 'served')
const first = { web: '1.22', libc: '2.36', more: '5' }

/** Both archives as they are on some day. */
async function upstream({ web, libc, more }: typeof first) {
  const debian = await publish(join(served, 'debian'), {
    bookworm: [
      { name: 'web', version: web, control: { Depends: 'libc' } },
      { name: 'libc', version: '2.35' },
      { name: 'more', version: more },
    ],
  })
  const security = await publish(join(served, 'security'), {
    'bookworm-security': [{ name: 'libc', version: libc }],
  })
  return { debian, security }
}
const { debian, security } = await upstream(first)
const server = await serveTree(served, '127.0.0.1', 0)
afterAll(async () => await server[Symbol.asyncDispose]())
beforeEach(async () => void (await upstream(first)))

let count = 0
async function project() {
  const directory = join(folder, `a project ${++count}`)
  await mkdir(directory)
  const log = new Lines()
  const lock = async (there: Lock | undefined, anew: readonly string[], packages = 'web') => {
    const source = (name: string, suite: string, keyring: string, more: string) =>
      `    - { name: ${name}, uri: '${server.url}/${name}', suites: [${suite}], signed_by: ${keyring}, packages: [${more}] }\n`
    await writeFile(
      join(directory, 'appliance.yml'),
      `name: box\nversion: 1.0.0\nmirror:\n  deb:\n${source('debian', 'bookworm', debian.keyring, packages)}${source('security', 'bookworm-security', security.keyring, '')}`,
    )
    const opened = await openProject(directory, 'appliance.yml')
    const inputs = {} as Parameters<typeof mirrorDeps.run>[0]['inputs']
    const work = stageWork(mirrorDeps, opened, inputs, log, new AbortController().signal, {})
    const resolved = await resolveLock(work as never, { there, anew })
    return { lock: resolved, versions: versionsIn(resolved) }
  }
  return { directory, log, lock, store: join(directory, 'build/mirror-deps/store') }
}
const versionsIn = ({ deb }: Lock) =>
  Object.fromEntries(deb.flatMap(({ packages }) => packages.map(({ name, version }) => [name, version])))

const next = { web: '1.26', libc: '2.37', more: '6' }

describe('a lock that is made again', () => {
  test('moves the named source alone; the other is solved from its kept indexes', async () => {
    const { lock } = await project()
    const before = await lock(undefined, [])
    expect(before.versions).toEqual({ web: '1.22', libc: '2.36' })
    await upstream(next)
    const after = await lock(before.lock, ['security'])
    expect(after.versions).toEqual({ web: '1.22', libc: '2.37' })
    expect(after.lock.deb[0]).toEqual(before.lock.deb[0])
    expect(after.lock.deb[1]!.evidence).not.toEqual(before.lock.deb[1]!.evidence)
    expect((await lock(after.lock, ['debian'])).versions).toEqual({ web: '1.26', libc: '2.37' })
  })

  test('for a further package, leaves all others at their versions', async () => {
    const { lock, log } = await project()
    const before = await lock(undefined, [])
    await upstream(next)
    const after = await lock(before.lock, [], 'web, more')
    expect(after.versions).toEqual({ web: '1.22', libc: '2.36', more: '5' })
    expect(after.lock.deb.map(({ evidence }) => evidence)).toEqual(
      before.lock.deb.map(({ evidence }) => evidence),
    )
    expect(log.lines.join('\n')).not.toContain('cannot be used')
  })

  test('is the same where nothing changed', async () => {
    const { lock } = await project()
    const before = await lock(undefined, [])
    const other = await lock(before.lock, [], 'web, more')
    expect(lockText((await lock(other.lock, [])).lock)).toBe(lockText(before.lock))
  })

  test('takes upstream’s newest, saying so, where the kept indexes are lost', async () => {
    const { lock, log, store } = await project()
    const before = await lock(undefined, [])
    await upstream(next)
    const index = before.lock.deb[0]!.evidence.find(({ path }) => path.endsWith('Packages.gz'))!
    await rm(objectPath(store, index.sha256))
    const after = await lock(before.lock, [], 'web, more')
    expect(after.versions).toEqual({ web: '1.26', libc: '2.36', more: '6' })
    expect(log.lines).toContainEqual(
      expect.stringMatching(/^the indexes .* cannot be used any more, .*: debian \(.*Packages.gz is gone\)$/),
    )
  })

  test('a package of the kept index that upstream has withdrawn is told, with what it has now', async () => {
    const { lock } = await project()
    const before = await lock(undefined, [])
    await upstream(next)
    await rm(join(served, 'debian/pool/main/m/more/more_5_amd64.deb'))
    await expect(lock(before.lock, [], 'web, more')).rejects.toMatchObject({
      code: 'gone',
      message: expect.stringMatching(/^deb more 5 of debian is no longer at .*: upstream now has 6$/),
      hint: expect.stringContaining('appliance lock --update debian'),
    })
  })
})
