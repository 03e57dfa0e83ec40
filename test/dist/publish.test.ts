import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { sizesReleased } from '../../actions/appliance/summary.ts'
import { sha256 } from '../../actions/lib/files/digest.ts'
import { run } from '../../actions/lib/process/command.ts'
import { workflowLog } from '../../actions/lib/runner/workflow-log.ts'
import type { Spec } from '../../actions/lib/spec/spec.ts'
import { packed, packedFiles, packedSpec } from '../fixtures/packed.ts'
import { Services } from './emulator/services.ts'
import { Workspace } from './emulator/step.ts'

let services: Services
let workspace: Workspace
let ova: Buffer

const inputs = { token: 'ghs_x', archive: 'build/mirror.tar.zst' }

beforeEach(async () => {
  services = await Services.start()
  workspace = await Workspace.create({
    ...services.environment,
    GITHUB_API_URL: services.api,
    GITHUB_REPOSITORY: 'someone/product',
    GITHUB_REF: 'refs/tags/v1.2.3',
    GITHUB_REF_NAME: 'v1.2.3',
    GITHUB_REF_TYPE: 'tag',
  })
  ova = randomBytes(3_000_000)
  await built()
})

afterEach(async () => {
  await workspace[Symbol.asyncDispose]()
  await services[Symbol.asyncDispose]()
})

async function built(): Promise<void> {
  await writeFile(workspace.path('appliance.yml'), packedSpec)
  await writeFile(workspace.path('appliance.lock.json'), await emptyLock())
  await packed(workspace.directory, ova)
}

async function emptyLock(): Promise<string> {
  await workspace.lock()
  return await readFile(workspace.path('appliance.lock.json'), 'utf8')
}

test('a draft, everything uploaded and compared, and only then published', async () => {
  const { status, outputs, summary, stdout } = await workspace.run('publish', inputs)
  expect([status, stdout]).toEqual([0, expect.not.stringContaining('::error')])
  const [release] = services.releases.releases
  expect(release).toMatchObject({ tag_name: 'v1.2.3', name: 'Tiny 1.2.3', draft: false, prerelease: false })
  expect(release!.assets.map(({ name }) => name).sort()).toEqual(packedFiles)
  expect(release!.assets.find(({ name }) => name === 'tiny-1.2.3.ova')!.content.equals(ova)).toBe(true)
  expect(services.releases.calls.at(-1)).toMatch(/^PATCH/)
  expect(outputs.url).toBe('https://github.com/someone/product/releases/v1.2.3')
  expect(JSON.parse(outputs.files!)).toContainEqual({
    name: 'tiny-1.2.3.ova',
    bytes: 3e6,
    sha256: sha256(ova),
  })
  expect(summary).toContain(`| tiny-1.2.3.ova | 3.0 MB | \`${sha256(ova)}\` |`)
})

describe('files over the limit', () => {
  let folder: string

  beforeEach(async () => {
    services.releases.limit = 1_000_001
    expect(await workspace.run('publish', { ...inputs, 'part-size': '1 MB' })).toMatchObject({ status: 0 })
    folder = await mkdtemp('/tmp/appliance-join-')
    for (const { name, content } of services.releases.releases[0]!.assets)
      await writeFile(join(folder, name), content)
  })

  afterEach(() => rm(folder, { recursive: true }))

  test('go up in parts that join.sh joins to the same bytes', async () => {
    const names = await readdir(folder)
    expect(names).toEqual(expect.arrayContaining(['join.sh', 'join.ps1', 'tiny-1.2.3.ova.part002']))
    expect(names).not.toContain('tiny-1.2.3.ova')
    await run('sh', [join(folder, 'join.sh')])
    expect(ova.equals(await readFile(join(folder, 'tiny-1.2.3.ova')))).toBe(true)
    await run('sha256sum', ['--check', '--quiet', 'SHA256SUMS.release'], { cwd: folder })
    // Once more changes nothing.
    expect((await run('sh', ['join.sh'], { cwd: folder })).stdout).toContain(
      'tiny-1.2.3.ova is whole already',
    )
    expect((await run('shellcheck', [join(folder, 'join.sh')], { allowFailure: true })).stdout).toBe('')
  })

  test('are joined in their order when there are more than a hundred parts', async () => {
    const number = (name: string) => Number(/ova\.part(\d+)$/.exec(name)?.[1] ?? -1)
    services.releases.releases.length = 0
    await workspace.run('publish', { token: 'ghs_x', 'part-size': '25 kB' })
    const parts = services.releases.releases[0]!.assets.filter(({ name }) => number(name) >= 0)
    expect(Math.max(...parts.map(({ name }) => number(name)))).toBe(119)
    await rm(folder, { recursive: true })
    await mkdir(folder)
    for (const { name, content } of services.releases.releases[0]!.assets)
      await writeFile(join(folder, name), content)
    await run('sh', [join(folder, 'join.sh')])
    expect(ova.equals(await readFile(join(folder, 'tiny-1.2.3.ova')))).toBe(true)
  })

  test('are refused when they are more than GitHub takes in a release, before anything is uploaded', async () => {
    services.releases.releases.length = 0
    const { status, stdout } = await workspace.run('publish', { ...inputs, 'part-size': '3 kB' })
    expect([status, stdout]).toEqual([
      1,
      expect.stringMatching(/::error.*part-size: 3\.0 kB makes 13\d\d files/),
    ])
    expect(services.releases.releases).toEqual([])
  })

  test('join.sh refuses parts that are damaged or missing, and names the file', async () => {
    await rm(join(folder, 'mirror.tar.zst.part001'))
    await writeFile(join(folder, 'tiny-1.2.3.ova.part001'), 'damaged')
    const { status, stderr } = await run('sh', [join(folder, 'join.sh')], { allowFailure: true })
    expect(status).toBe(1)
    expect(stderr).toMatch(
      /mirror\.tar\.zst: its parts are damaged[\s\S]*tiny-1\.2\.3\.ova: its parts are damaged/,
    )
    expect(await readdir(folder)).not.toContain('tiny-1.2.3.ova')
  })

  test('tell the next build, where nothing of the last one is, how large the OVA was', async () => {
    const environment = process.env
    const log = workflowLog(() => '.')
    process.env = { ...environment, GITHUB_API_URL: services.api, GITHUB_REPOSITORY: 'someone/product' }
    try {
      const known = { sizes: { 'ova-pack': { ova: 3e6 } }, since: 'v1.2.3' }
      expect(await sizesReleased({ spec: { name: 'tiny' } as Spec }, 'ghs_x', { log })).toEqual(known)
      expect(await sizesReleased({ spec: { name: 'ti' } as Spec }, 'ghs_x', { log })).toBeUndefined()
      expect(await sizesReleased({ spec: { name: 'tiny' } as Spec }, undefined, { log })).toBeUndefined()
      services.releases.releases.length = 0
      expect(await sizesReleased({ spec: { name: 'tiny' } as Spec }, 'ghs_x', { log })).toBeUndefined()
    } finally {
      process.env = environment
    }
  })

  test('are a source of the next build: the archive is downloaded, joined and offered to the mirror', async () => {
    const { stdout } = await workspace.run('mirror-deps', { token: 'ghs_x', 'from-release': 'true' })
    expect(stdout).toContain('downloading mirror.tar.zst.part001')
    // Read to its last byte, which its digest proves; what is in it is no archive here.
    expect(stdout).not.toContain('archive is not used')
    expect(services.releases.storage.refused).toBe(0)
    expect(await readdir(workspace.path('build'))).not.toContain('last-release')
  })
})

describe('a release that failed', () => {
  test('goes on with its draft: what is there whole stays, what broke off is uploaded again', async () => {
    services.releases.breaking = 3
    const failed = await workspace.run('publish', inputs)
    expect(failed.status).toBe(1)
    expect(services.releases.releases).toMatchObject([{ draft: true, assets: [{ state: 'starter' }] }])
    services.releases.releases[0]!.assets.push({
      id: 99,
      name: 'stranger',
      state: 'uploaded',
      content: Buffer.from('x'),
    })

    expect(await workspace.run('publish', inputs)).toMatchObject({ status: 0 })
    expect(services.releases.releases).toHaveLength(1)
    expect(services.releases.releases[0]!.assets.map(({ name }) => name).sort()).toEqual(packedFiles)
  })

  test('is never published with other bytes than were built, and says which file', async () => {
    services.releases.corrupted.add('tiny-1.2.3.ova')
    const { status, stdout } = await workspace.run('publish', inputs)
    expect(status).toBe(1)
    expect(stdout).toMatch(/::error::.*tiny-1\.2\.3\.ova has other bytes/)
    expect(services.releases.releases).toMatchObject([{ draft: true }])
    services.releases.corrupted.clear()
    services.releases.silent = true // and no digest tells: it has to be downloaded and read
    const again = await workspace.run('publish', inputs)
    expect([again.status, again.stdout]).toEqual([0, expect.stringContaining('are those that were built')])
  })

  test('once published stays as it is: the same again is fine, another build is refused', async () => {
    await workspace.run('publish', inputs)
    services.releases.calls.length = 0
    expect((await workspace.run('publish', inputs)).stdout).toContain('v1.2.3 is published already')
    expect(services.releases.calls.filter((call) => !call.startsWith('GET'))).toEqual([])
    ova = randomBytes(1000)
    await rm(workspace.path('build'), { recursive: true })
    await built()
    const other = await workspace.run('publish', inputs)
    expect([other.status, other.stdout]).toEqual([
      1,
      expect.stringMatching(/tiny-1\.2\.3\.ova has 3000000 bytes instead of 1000/),
    ])
  })
})

test('an upload that breaks off once is tried again', async () => {
  services.releases.breaking = 1
  const { status, stdout } = await workspace.run('publish', inputs)
  expect([status, stdout]).toEqual([
    0,
    expect.stringMatching(/::warning::the upload of .* broke off.*; trying again/),
  ])
})

test('what is missing is said at once: no tag, a part size that GitHub does not take, no token, nothing packed', async () => {
  const branch = { GITHUB_REF_TYPE: 'branch', GITHUB_REF_NAME: 'main' }
  const wrong = await workspace.run('publish', { ...inputs, 'part-size': '2 GiB' }, branch)
  expect(wrong.stdout).toMatch(/::error.*input tag:/)
  expect(wrong.stdout).toMatch(/::error.*input part-size:/)
  const bare = await workspace.run('publish', { archive: 'build/mirror.tar.zst', 'part-size': '1 GiB' })
  expect(bare.stdout).toMatch(/::error::input token: there is none/)
  await rm(workspace.path('build/ova-pack'), { recursive: true })
  expect((await workspace.run('publish', inputs)).stdout).toContain('ova-pack has not been run yet')
  expect(services.releases.releases).toEqual([])
})
