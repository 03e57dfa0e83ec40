import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, jest, test } from '@jest/globals'
import { sha256 } from '../../../actions/lib/files/digest.ts'
import type { LockedGemSource } from '../../../actions/lib/lock/lock.ts'
import { serveTree } from '../../../actions/lib/mirror/serve.ts'
import { objectPath } from '../../../actions/lib/mirror/store.ts'
import { fetchAll } from '../../../actions/mirror-deps/fetch/fetch.ts'
import {
  fullName,
  type GemEntry,
  gemDigests,
  solveGems,
  wantedOfGems,
} from '../../../actions/mirror-deps/gem/source.ts'
import { writeGemSource } from '../../../actions/mirror-deps/gem/tree.ts'
import { contentsOf } from './archive.ts'
import { scratch } from './folder.ts'
import { hostRuby, rubyProgram } from './host-ruby.ts'
import { Lines } from './lines.ts'

jest.setTimeout(120_000)
const folder = await scratch()
const signal = new AbortController().signal
const root = hostRuby(join(folder, 'root'))

interface Made {
  name: string
  version: string
  needs?: Record<string, string>
  platform?: string
}

/** Builds a gem as its author would, puts it into the store, says what a lock would say of it. */
async function build(store: string, { name, version, needs = {}, platform = 'ruby' }: Made) {
  const at = join(folder, 'built', `${name}-${version}-${platform}`)
  await mkdir(join(at, 'lib'), { recursive: true })
  await writeFile(join(at, 'lib', `${name}.rb`), `${name.toUpperCase()} = '${version}'\n`)
  const needed = Object.entries(needs).map(
    ([other, range]) => `s.add_dependency '${other}', *'${range}'.split(', ')`,
  )
  await writeFile(
    join(at, 'g.gemspec'),
    `Gem::Specification.new { |s| s.name='${name}'; s.version='${version}'; s.summary='s'; s.authors=['a']; s.platform='${platform}'
     s.files=['lib/${name}.rb']; s.required_ruby_version='>= 2.5'; ${needed.join(';')} }`,
  )
  await rubyProgram(at, 'gem', 'build', '--silent', 'g.gemspec', '--output', 'made.gem')
  const content = await readFile(join(at, 'made.gem'))
  const digest = sha256(content)
  await mkdir(dirname(objectPath(store, digest)), { recursive: true })
  await writeFile(objectPath(store, digest), content)
  return { name, version, platform, license: 'NOASSERTION', sha256: digest, size: content.length }
}

/** Upstream: a gem source with more than anyone asks for. */
const upstreamStore = join(folder, 'upstream-store')
const upstream: LockedGemSource = { name: 'upstream', source: 'http://none', for: 'guest', gems: [], git: [] }
for (const made of [
  { name: 'web', version: '2.0.1', needs: { rack: '>= 2, < 4' } },
  { name: 'web', version: '3.0.0.rc1', needs: { rack: '>= 3' } },
  { name: 'rack', version: '2.2.9' },
  { name: 'rack', version: '3.1.0' },
  { name: 'fast', version: '1.0' },
  { name: 'fast', version: '1.0', platform: 'x86_64-linux' },
  { name: 'unused', version: '1.0' },
])
  upstream.gems.push(await build(upstreamStore, made))
await writeGemSource(upstream, join(folder, 'served'), upstreamStore, root, signal)
const server = await serveTree(join(folder, 'served'), '127.0.0.1', 0)
afterAll(async () => await server[Symbol.asyncDispose]())

const entry = (more: Partial<GemEntry>): GemEntry => ({
  name: 'app',
  source: `${server.url}/`,
  for: 'guest',
  ...more,
})

async function gemfile(name: string, text: string, lock?: string): Promise<string> {
  const path = join(folder, name, 'Gemfile')
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, `source '${server.url}/'\n${text}`)
  if (lock) await writeFile(`${path}.lock`, lock)
  return path
}

const names = (gems: { name: string; version: string; platform: string }[]) => gems.map(fullName).sort()

describe('resolving, by Bundler', () => {
  test('a list of gems: the newest release that fits, its dependencies, built from source', async () => {
    const gems = await solveGems(
      entry({ gems: { web: '*', rack: '~> 3.0', fast: '>= 0.9, < 2' } }),
      root,
      signal,
    )
    expect(names(gems)).toEqual(['fast-1.0', 'rack-3.1.0', 'web-2.0.1'])
    const digests = await gemDigests(`${server.url}/`, gems, signal)
    const promised = upstream.gems.filter((gem) => names(gems).includes(fullName(gem)))
    expect(digests.map(({ sha256: digest }) => digest).sort()).toEqual(
      promised.map(({ sha256: digest }) => digest).sort(),
    )
  })

  test('a Gemfile with its lock keeps to the lock, whichever Bundler wrote it', async () => {
    const lock = `GEM
  remote: ${server.url}/
  specs:
    rack (2.2.9)
    web (2.0.1)
      rack (>= 2, < 4)

PLATFORMS
  ruby

DEPENDENCIES
  web

BUNDLED WITH
   9.9.9
`
    const path = await gemfile('locked', "gem 'web'\n", lock)
    expect(names(await solveGems(entry({ gemfile: path }), root, signal))).toEqual([
      'rack-2.2.9',
      'web-2.0.1',
    ])
    expect(await readFile(`${path}.lock`, 'utf8')).toBe(lock)
  })

  test('no solution is told in Bundler’s words', async () => {
    await expect(
      solveGems(entry({ gems: { web: '*', rack: '~> 1.0' } }), root, signal),
    ).rejects.toMatchObject({
      code: 'unsatisfiable',
      message: expect.stringMatching(/gem app: .*rack/s),
    })
  })

  test('what is only on this computer cannot be mirrored, and is named', async () => {
    await mkdir(join(root.directory, 'local/lib'), { recursive: true })
    await writeFile(
      join(root.directory, 'local/local.gemspec'),
      "Gem::Specification.new { |s| s.name='local'; s.version='1'; s.summary='s'; s.authors=['a'] }",
    )
    const path = await gemfile('path', "gem 'local', path: '../local'\n")
    await expect(solveGems(entry({ gemfile: path }), root, signal)).rejects.toMatchObject({
      code: 'unsatisfiable',
      message: expect.stringContaining('from git or a path are not supported yet: local'),
    })
  })
})

describe('the source that is written', () => {
  const store = join(folder, 'store')
  const tree = join(folder, 'tree')

  async function mirrored(): Promise<LockedGemSource> {
    const solved = await solveGems(entry({ gems: { web: '*' } }), root, signal)
    const gems = (await gemDigests(`${server.url}/`, solved, signal)).map((gem) => ({
      ...gem,
      license: 'NOASSERTION',
      size: upstream.gems.find(({ sha256: digest }) => digest === gem.sha256)!.size,
    }))
    const source: LockedGemSource = { name: 'app', source: `${server.url}/`, for: 'guest', gems, git: [] }
    await fetchAll(wantedOfGems(source), {
      store,
      sharedStore: undefined,
      log: new Lines(),
      signal,
      verify: false,
    })
    return source
  }

  test('serves Bundler and gem install, with nothing but what is locked', async () => {
    const source = await mirrored()
    await writeGemSource(source, join(tree, 'gem/app'), store, root, signal)
    await using mirror = await serveTree(tree, '127.0.0.1', 0)
    const url = `${mirror.url}/gem/app/`

    const home = join(folder, 'guest')
    await mkdir(home)
    await writeFile(join(home, 'Gemfile'), `source '${url}'\ngem 'web'\n`)
    expect(await rubyProgram(home, 'bundle', 'install')).toContain('Installing web 2.0.1')
    const program = "require 'web'; require 'rack'; puts WEB, RACK"
    expect(await rubyProgram(home, 'bundle', 'exec', 'ruby', '-e', program)).toBe('2.0.1\n3.1.0\n')
    const lock = (await readFile(join(home, 'Gemfile.lock'), 'utf8')).replace(
      /BUNDLED WITH\n.*/,
      'BUNDLED WITH\n   9.9.9',
    )
    const again = join(folder, 'guest-with-lock')
    await mkdir(again)
    await writeFile(join(again, 'Gemfile'), `source '${url}'\ngem 'web'\n`)
    await writeFile(join(again, 'Gemfile.lock'), lock)
    expect(await rubyProgram(again, 'bundle', 'install')).toContain('Installing rack 3.1.0')

    const plain = ['--no-document', '--clear-sources', '--source', url]
    expect(await rubyProgram(join(folder, 'other'), 'gem', 'install', 'web', ...plain)).toContain(
      '2 gems installed',
    )
    await expect(
      rubyProgram(join(folder, 'other'), 'gem', 'install', 'unused', ...plain),
    ).rejects.toMatchObject({
      code: 'command-failed',
    })
    expect([...mirror.missed.keys()].filter((path) => path.endsWith('.gem'))).toEqual([])
  })

  test('keeps pre-releases apart from releases', async () => {
    const home = join(folder, 'pre')
    const plain = ['--no-document', '--clear-sources', '--source', `${server.url}/`]
    expect(await rubyProgram(home, 'gem', 'install', 'web', ...plain)).toContain('installed web-2.0.1')
    expect(await rubyProgram(home, 'gem', 'install', 'web', '--pre', ...plain)).toContain(
      'installed web-3.0.0.rc1',
    )
  })

  test('is the same, byte for byte, each time', async () => {
    const source = await mirrored()
    for (const name of ['one', 'two']) await writeGemSource(source, join(folder, name), store, root, signal)
    expect(await contentsOf(join(folder, 'one'))).toEqual(await contentsOf(join(folder, 'two')))
  })
})
