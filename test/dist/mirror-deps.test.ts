import { randomBytes } from 'node:crypto'
import { cp, lstat, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { run } from '../../actions/lib/process/command.ts'
import { Services } from './emulator/services.ts'
import { dist, node24, Workspace } from './emulator/step.ts'

const STORE = 'build/mirror-deps/store'

let services: Services
let workspace: Workspace
/** Stands for an upstream; outside of every workspace. */
let upstream: string

beforeEach(async () => {
  services = await Services.start()
  workspace = await Workspace.create(services.environment)
  upstream = workspace.path('..', 'upstream')
  await mkdir(upstream)
  await writeFile(join(upstream, 'data.txt'), 'what the appliance needs\n')
  await writeSpec(workspace)
  await workspace.lock()
})

afterEach(async () => {
  await workspace[Symbol.asyncDispose]()
  await services[Symbol.asyncDispose]()
})

async function writeSpec(into: Workspace, folder = '.'): Promise<void> {
  const spec = `name: tiny\nversion: 1.0.0\nmirror:\n  file:\n    - url: file://${upstream}/data.txt\n`
  await mkdir(into.path(folder), { recursive: true })
  await writeFile(into.path(folder, 'appliance.yml'), spec)
}

/** Another runner that checked out the same commit: spec and lock, no build/. */
async function anotherRunner(environment: Record<string, string> = services.environment): Promise<Workspace> {
  const other = await Workspace.create(environment)
  for (const name of ['appliance.yml', 'appliance.lock.json'])
    await cp(workspace.path(name), other.path(name))
  return other
}

test('tells in the summary what was fetched, a source a row', async () => {
  const { summary, stdout } = await workspace.run('mirror-deps')
  expect(summary.replace(/^(### mirror-deps): [\d.]+ m?s$/m, '$1: TIME')).toBe(`### mirror-deps: TIME

<details><summary>What it did</summary>

| source | artefacts | size | downloaded | from cache | from archive | refetched |
| :-- | --: | --: | --: | --: | --: | --: |
| file data.txt | 1 | 25 B | 1 (25 B) | 0 | 0 | 0 |
| **in all** | **1** | **25 B** | **1 (25 B)** | **0** | **0** | **0** |

</details>
`)
  expect(stdout).toMatch(/::group::fetch\n[\s\S]*::endgroup::/)
})

test('mirrors, tells its outputs, and is done in a blink the second time', async () => {
  const first = await workspace.run('mirror-deps')
  expect(first).toMatchObject({ status: 0, stderr: '' })
  expect(first.outputs).toMatchObject({
    mirror: workspace.path('build/mirror-deps/tree'),
    lock: 'appliance.lock.json',
  })
  const mirrored = join(first.outputs.mirror!, 'file/data.txt/data.txt')
  expect(await readFile(mirrored, 'utf8')).toBe('what the appliance needs\n')

  const second = await workspace.run('mirror-deps')
  expect(second).toMatchObject({ status: 0, outputs: { 'cache-hit': 'true', 'downloaded-bytes': '0' } })
})

test('working-directory and spec say where the appliance is', async () => {
  await writeSpec(workspace, 'products/one')
  await workspace.lock('products/one')
  const inputs = { 'working-directory': 'products/one', spec: 'appliance.yml' }
  const { status, outputs } = await workspace.run('mirror-deps', inputs)
  expect(status).toBe(0)
  expect(outputs.mirror).toBe(workspace.path('products/one/build/mirror-deps/tree'))
})

describe('the Actions cache', () => {
  test('carries the store to another runner, where upstream is gone', async () => {
    expect((await workspace.run('mirror-deps')).stdout).toMatch(
      /cache: saved appliance-mirror-2-tiny\.[0-9a-f]{64}-1$/m,
    )
    await rm(upstream, { recursive: true })

    await using other = await anotherRunner()
    const restored = await other.run('mirror-deps')
    expect(restored).toMatchObject({ status: 0, outputs: { 'cache-hit': 'true', 'downloaded-bytes': '0' } })
    expect(restored.stdout).toMatch(/cache: restored appliance-mirror-2-tiny\./)
    const mirrored = join(restored.outputs.mirror!, 'file/data.txt/data.txt')
    expect(await readFile(mirrored, 'utf8')).toBe('what the appliance needs\n')
    expect(services.calls.filter((call) => call === 'CacheService/CreateCacheEntry')).toHaveLength(1)
  })

  test('is not asked for a store that is there, and saves what another run has not', async () => {
    await workspace.run('mirror-deps')
    const again = await workspace.run('mirror-deps')
    expect(again.stdout).toContain('cache: not needed, the store is whole')
    expect(again.stdout).toMatch(/cache: appliance-mirror-2-tiny\.[0-9a-f]{64}-1 exists already/)
    services.caches.length = 0 // entries are evicted after seven days
    expect((await workspace.run('mirror-deps')).stdout).toMatch(/cache: saved appliance-mirror-2-tiny\./)
  })

  test('is trusted in nothing: what the lock does not vouch for is taken out and fetched again', async () => {
    await workspace.run('mirror-deps')
    const lock = JSON.parse(await readFile(workspace.path('appliance.lock.json'), 'utf8')) as {
      file: { sha256: string }[]
    }
    const { sha256 } = lock.file[0]!
    const object = workspace.path(STORE, 'sha256', sha256.slice(0, 2), sha256)
    await rm(object)
    await writeFile(object, 'not what the appliance needs\n')
    await writeFile(workspace.path(STORE, 'extra'), 'x')
    await symlink('/etc/passwd', workspace.path(STORE, 'sha256/link'))
    await mkdir(workspace.path(STORE, 'git'))
    await symlink('/etc', workspace.path(STORE, 'sha256/00'))
    // As the toolkit makes its archives (packages/cache/src/internal/tar.ts).
    const archive = workspace.path('..', 'poison.tzst')
    await run('tar', [
      '--posix',
      '-cf',
      archive,
      '-P',
      '-C',
      workspace.directory,
      '--use-compress-program',
      'zstd',
      STORE,
    ])
    services.blobs.contents.set(services.caches[0]!.blob, await readFile(archive))

    await using other = await anotherRunner()
    const distrusting = await other.run('mirror-deps')
    expect(distrusting.status).toBe(0)
    expect(distrusting.stdout).toContain(
      '::warning::cache: 3 names in it are no mirror’s, and were taken out',
    )
    expect(distrusting.stdout).toContain("::warning::file data.txt: the mirror's copy is damaged")
    expect(distrusting.outputs).toMatchObject({ 'cache-hit': 'false' })
    expect(distrusting.summary).toMatch(/^\| file data\.txt \| 1 \| 25 B \| 1 \(25 B\) \| 0 \| 0 \| 1 \|$/m)
    expect((await lstat(other.path(STORE, 'sha256'))).isDirectory()).toBe(true)
    const { stdout: names } = await run('find', [other.path(STORE), '!', '-type', 'd', '-printf', '%P\n'])
    expect(names).toBe(`sha256/${sha256.slice(0, 2)}/${sha256}\n`)
    const mirrored = join(distrusting.outputs.mirror!, 'file/data.txt/data.txt')
    expect(await readFile(mirrored, 'utf8')).toBe('what the appliance needs\n')

    // The damaged entry is replaced, once: a third runner downloads nothing, and has nothing to complain of.
    expect(distrusting.stdout).toMatch(/cache: saved appliance-mirror-2-tiny\.[0-9a-f]{64}-2$/m)
    await rm(upstream, { recursive: true })
    await using third = await anotherRunner()
    const sound = await third.run('mirror-deps')
    expect(sound.outputs).toMatchObject({ 'cache-hit': 'true' })
    expect(sound.stdout).not.toMatch(/::(warning|error)::|cache: saved/)
    expect(services.caches).toHaveLength(2)
  })

  test('gc --caches takes this appliance’s mirrors of other locks, on every page, and what was replaced', async () => {
    await workspace.run('mirror-deps')
    const { key: current, ...entry } = services.caches.pop()!
    const add = (key: string, ref = entry.ref) =>
      services.caches.push({ ...entry, key, ref, id: services.caches.length + 1 })
    const own = 'appliance-mirror-2-tiny.'
    for (let index = 0; index < 120; index += 1) add(`${own}${String(index).padStart(64, '0')}-1`)
    const replaced = current
    const mended = current.replace(/-1$/, '-2')
    add(`${own}part-${current.slice(own.length)}-7-1`)
    add(replaced)
    add(mended)
    add(current, 'refs/heads/other')
    const others = ['appliance-mirror-2-tiny-pro.1-1', 'appliance-mirror-2-other.1-1', 'node-modules']
    for (const key of others) add(key)
    const gc = async (...args: string[]) => {
      const env = {
        GITHUB_API_URL: services.api,
        GITHUB_REPOSITORY: 'someone/product',
        GITHUB_TOKEN: 'ghs_x',
      }
      const words = ['gc', '--caches', ...args, '--working-directory', workspace.directory]
      return (await run(node24, [join(dist, 'cli/index.js'), ...words], { env })).stdout
    }
    expect(await gc()).toMatch(/cache entry of refs\/heads\/main: appliance-mirror-2-tiny\.0{64}-1/)
    expect(services.caches).toHaveLength(127)
    await gc('--yes')
    expect(services.caches.map(({ key, ref }) => `${ref} ${key}`)).toEqual([
      `refs/heads/main ${mended}`,
      `refs/heads/other ${current}`,
      ...others.map((key) => `refs/heads/main ${key}`),
    ])
  })

  test('a release takes nothing from it and puts nothing into it', async () => {
    await workspace.run('mirror-deps')
    services.calls.length = 0
    await using other = await anotherRunner({
      ...services.environment,
      GITHUB_REF_TYPE: 'tag',
      GITHUB_REF: 'refs/tags/v1.0.0',
    })
    const release = await other.run('mirror-deps')
    expect(release.status).toBe(0)
    expect(services.calls).toEqual([])
  })

  test('failing costs a warning, never the build', async () => {
    await workspace.run('mirror-deps')
    services.broken.add('CacheService/GetCacheEntryDownloadURL').add('CacheService/CreateCacheEntry')
    await using other = await anotherRunner()
    const { status, outputs, stdout } = await other.run('mirror-deps')
    expect(status).toBe(0)
    expect(outputs.lock).toBe('appliance.lock.json')
    expect(stdout.match(/^::(warning|error)::.*$/gm)).toEqual([
      expect.stringMatching(/^::warning::cache: restoring failed, going on without: /),
    ])
  })

  test('being slow costs time, and nothing else', async () => {
    await workspace.run('mirror-deps')
    services.delay = 2000
    await using other = await anotherRunner()
    const { status, outputs, stdout } = await other.run('mirror-deps')
    expect(status).toBe(0)
    expect(outputs['cache-hit']).toBe('true')
    expect(stdout).toMatch(/cache: restored appliance-mirror-2-tiny\./)
    expect(stdout).not.toMatch(/^::(warning|error)::/m)
  })

  test('a link at an artefact’s place, and above the store, is not followed, and the artefact fetched again', async () => {
    await workspace.run('mirror-deps')
    const lock = JSON.parse(await readFile(workspace.path('appliance.lock.json'), 'utf8'))
    const { sha256 } = lock.file[0]
    const object = workspace.path(STORE, 'sha256', sha256.slice(0, 2), sha256)
    await rm(object)
    await symlink(join(upstream, 'data.txt'), object)
    const archive = workspace.path('..', 'links.tzst')
    const pack = ['--posix', '-cf', archive, '-P', '-C', workspace.directory]
    await run('tar', [...pack, '--use-compress-program', 'zstd', STORE])
    services.blobs.contents.set(services.caches[0]!.blob, await readFile(archive))
    await using other = await anotherRunner()
    const restored = await other.run('mirror-deps')
    expect(restored.summary).toMatch(/^\| file data\.txt \| 1 \| 25 B \| 1 \(25 B\) \| 0 \| 0 \| 1 \|$/m)
    expect((await lstat(other.path(STORE, 'sha256', sha256.slice(0, 2), sha256))).isFile()).toBe(true)

    // The whole way to the store leads elsewhere.
    const elsewhere = workspace.path('..', 'elsewhere')
    await mkdir(join(elsewhere, 'store'), { recursive: true })
    await rm(workspace.path('build/mirror-deps'), { recursive: true })
    await symlink(elsewhere, workspace.path('build/mirror-deps'))
    await run('tar', [...pack, '--use-compress-program', 'zstd', 'build/mirror-deps'])
    services.blobs.contents.set(services.caches.at(-1)!.blob, await readFile(archive))
    await using third = await anotherRunner()
    const led = await third.run('mirror-deps')
    expect(led.status).toBe(0)
    expect(led.stdout).toContain('build/mirror-deps came out of it as a link, and was taken out')
    expect((await lstat(third.path('build/mirror-deps'))).isDirectory()).toBe(true)
    expect(await readdir(join(elsewhere, 'store'))).toEqual([])
  })

  test('what another lock left in it serves as far as it goes, and is not kept', async () => {
    await workspace.run('mirror-deps')
    await using other = await anotherRunner()
    await writeFile(join(upstream, 'more.txt'), 'more\n')
    const spec = `name: tiny\nversion: 1.0.0\nmirror:\n  file:\n    - url: file://${upstream}/more.txt\n`
    await writeFile(other.path('appliance.yml'), spec)
    await rm(other.path('appliance.lock.json'))
    const { sha256 } = JSON.parse(await readFile(workspace.path('appliance.lock.json'), 'utf8')).file[0]
    await other.lock()
    const { stdout } = await other.run('mirror-deps')
    expect(stdout).toContain('cache: 1 artefacts that the lock does not name are taken out')
    expect(stdout).toMatch(/cache: saved appliance-mirror-2-tiny\./)
    expect(stdout).not.toContain('::warning::')
    await expect(lstat(other.path(STORE, 'sha256', sha256.slice(0, 2), sha256))).rejects.toMatchObject({
      code: 'ENOENT',
    })
  })

  test('a runner without one builds all the same', async () => {
    await using bare = await anotherRunner({})
    const { status, stdout } = await bare.run('mirror-deps')
    expect(status).toBe(0)
    expect(stdout).toContain('cache: this runner has none')
  })
})

describe('on one runner', () => {
  test('two workflows at once share the downloads, and each gets a whole mirror', async () => {
    const shared = { APPLIANCE_CACHE: workspace.path('..', 'shared') }
    await using other = await anotherRunner({})
    const both = await Promise.all([
      workspace.run('mirror-deps', {}, shared),
      other.run('mirror-deps', {}, shared),
    ])
    for (const { status, stderr, outputs } of both) {
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
      const mirrored = join(outputs.mirror!, 'file/data.txt/data.txt')
      expect(await readFile(mirrored, 'utf8')).toBe('what the appliance needs\n')
    }
    await rm(upstream, { recursive: true })
    await using third = await anotherRunner({})
    expect((await third.run('mirror-deps', {}, shared)).outputs['downloaded-bytes']).toBe('0')
  })

  test('two steps at once in one workspace: the second says who works there', async () => {
    const occupied = workspace.path('build/.occupied')
    await mkdir(workspace.path('build'))
    await writeFile(occupied, `${process.pid}\n`)
    const { status, stdout } = await workspace.run('mirror-deps')
    expect(status).toBe(1)
    expect(stdout).toContain(`::error::another appliance command (process ${process.pid}) works in `)
    expect(await readFile(occupied, 'utf8')).toBe(`${process.pid}\n`)
  })

  const root = process.getuid?.() === 0
  const named = root ? 'a full disk is named' : 'a full disk (skipped: only root can mount a small one)'
  ;(root ? test : test.skip)(`${named}, and the next run goes on`, async () => {
    await writeFile(join(upstream, 'data.txt'), randomBytes(1 << 20))
    await rm(workspace.path('appliance.lock.json'))
    await workspace.lock()
    const build = workspace.path('build')
    await mkdir(build)
    await run('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'appliance-test', build])
    const full = await workspace.run('mirror-deps').finally(() => run('umount', [build]))
    expect(full.status).toBe(1)
    expect(full.stdout.match(/^::error.*/gm)).toEqual([
      expect.stringMatching(/^::error::no space left on the disk for file data\.txt in /),
    ])
    expect(full.summary).toContain('❌ mirror-deps failed')
    expect((await workspace.run('mirror-deps')).status).toBe(0)
  })
})

test('upstream gone without a cache: one line names source and address, and what was half done stays undone', async () => {
  await workspace.run('mirror-deps')
  await rm(join(upstream, 'data.txt'))
  await using other = await anotherRunner({})
  const { status, stdout, outputs, summary } = await other.run('mirror-deps')
  expect(status).toBe(1)
  expect(stdout).toMatch(/::error::.*data\.txt/)
  expect(summary).toContain('### ❌ mirror-deps failed')
  expect(outputs).toEqual({})
})
