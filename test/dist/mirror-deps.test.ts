import { cp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { run } from '../../actions/lib/process/command.ts'
import { Services } from './emulator/services.ts'
import { Workspace } from './emulator/step.ts'

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
  const inputs = { 'working-directory': 'products/one', spec: 'appliance.yml' }
  const { status, outputs } = await workspace.run('mirror-deps', inputs)
  expect(status).toBe(0)
  expect(outputs.mirror).toBe(workspace.path('products/one/build/mirror-deps/tree'))
})

describe('the Actions cache', () => {
  test('carries the store to another runner, where upstream is gone', async () => {
    expect((await workspace.run('mirror-deps')).stdout).toMatch(
      /cache: saved appliance-mirror-1-[0-9a-f]{64}/,
    )
    await rm(upstream, { recursive: true })

    await using other = await anotherRunner()
    const restored = await other.run('mirror-deps')
    expect(restored).toMatchObject({ status: 0, outputs: { 'cache-hit': 'true', 'downloaded-bytes': '0' } })
    expect(restored.stdout).toMatch(/cache: restored appliance-mirror-1-/)
    const mirrored = join(restored.outputs.mirror!, 'file/data.txt/data.txt')
    expect(await readFile(mirrored, 'utf8')).toBe('what the appliance needs\n')
    expect(services.calls.filter((call) => call === 'CacheService/CreateCacheEntry')).toHaveLength(1)
  })

  test('is not asked for a store that is there, and saves what another run has not', async () => {
    await workspace.run('mirror-deps')
    const again = await workspace.run('mirror-deps')
    expect(again.stdout).toContain('cache: not needed, the store is whole')
    expect(again.stdout).toMatch(/cache: appliance-mirror-1-[0-9a-f]{64} exists already/)
    services.caches.length = 0 // entries are evicted after seven days
    expect((await workspace.run('mirror-deps')).stdout).toMatch(/cache: saved appliance-mirror-1-/)
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
    expect(distrusting.stdout).toMatch(/::warning::cache: 3 files in it are not, and were taken out/)
    expect(distrusting.outputs).toMatchObject({ 'cache-hit': 'false' })
    const mirrored = join(distrusting.outputs.mirror!, 'file/data.txt/data.txt')
    expect(await readFile(mirrored, 'utf8')).toBe('what the appliance needs\n')
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
    services.broken.add('CacheService/GetCacheEntryDownloadURL').add('CacheService/CreateCacheEntry')
    const { status, outputs } = await workspace.run('mirror-deps')
    expect(status).toBe(0)
    expect(outputs.lock).toBe('appliance.lock.json')
  })

  test('a runner without one builds all the same', async () => {
    await using bare = await anotherRunnerWithoutLock()
    const { status, stdout } = await bare.run('mirror-deps')
    expect(status).toBe(0)
    expect(stdout).toContain('cache: this runner has none')
  })

  async function anotherRunnerWithoutLock(): Promise<Workspace> {
    const other = await Workspace.create()
    await writeSpec(other)
    return other
  }
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
