import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, jest, test } from '@jest/globals'
import { sha256 } from '../../../actions/lib/files/digest.ts'
import type { Lock, LockedGem, LockedGemSource } from '../../../actions/lib/lock/lock.ts'
import { gitRepositoriesOf } from '../../../actions/lib/lock/repositories.ts'
import { gitRewrites } from '../../../actions/lib/mirror/git-rewrites.ts'
import { serveTree } from '../../../actions/lib/mirror/serve.ts'
import { objectPath } from '../../../actions/lib/mirror/store.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { fetchAll } from '../../../actions/mirror-deps/fetch/fetch.ts'
import { licensesOf } from '../../../actions/mirror-deps/gem/licenses.ts'
import { type GemProof, proveGems } from '../../../actions/mirror-deps/gem/proof.ts'
import { solveGems as solve } from '../../../actions/mirror-deps/gem/solve.ts'
import { fullName, type GemEntry, gemDigests, wantedOfGems } from '../../../actions/mirror-deps/gem/source.ts'
import { writeGemSource } from '../../../actions/mirror-deps/gem/tree.ts'
import { writeGitRepositories } from '../../../actions/mirror-deps/git/tree.ts'
import { contentsOf } from './archive.ts'
import { scratch } from './folder.ts'
import { hostRuby, rubyProgram } from './host-ruby.ts'
import { Lines } from './lines.ts'

jest.setTimeout(120_000)
const folder = await scratch()
const signal = new AbortController().signal
const root = hostRuby(join(folder, 'root'))
const options = { store: join(folder, 'git-store'), work: join(folder, 'git-work'), signal }
const solveGems = async (entry: GemEntry) => (await solve(entry, root, options)).gems

interface Made {
  name: string
  version: string
  needs?: Record<string, string>
  platform?: string
  license?: string
  /** C. */
  extension?: string
}

/** Builds a gem as its author would, puts it into the store, says what a lock would say of it. */
async function build(
  store: string,
  { name, version, needs = {}, platform = 'ruby', license, extension }: Made,
) {
  const at = join(folder, 'built', `${name}-${version}-${platform}`)
  await mkdir(join(at, 'lib'), { recursive: true })
  await writeFile(join(at, 'lib', `${name}.rb`), `${name.toUpperCase()} = '${version}'\n`)
  if (extension) {
    await writeFile(join(at, 'extconf.rb'), `require 'mkmf'; create_makefile('${name}_c')`)
    await writeFile(join(at, `${name}_c.c`), `${extension}\nvoid Init_${name}_c(void) {}\n`)
  }
  const needed = Object.entries(needs).map(
    ([other, range]) => `s.add_dependency '${other}', *'${range}'.split(', ')`,
  )
  await writeFile(
    join(at, 'g.gemspec'),
    `Gem::Specification.new { |s| s.name='${name}'; s.version='${version}'; s.summary='s'; s.authors=['a']; s.platform='${platform}'
     s.files=Dir['lib/*', '*.c', 'extconf.rb']; s.extensions=Dir['extconf.rb']; s.required_ruby_version='>= 2.5'; ${license ? `s.license='${license}';` : ''} ${needed.join(';')} }`,
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
  { name: 'rack', version: '3.1.0', license: 'MIT' },
  { name: 'fast', version: '1.0' },
  { name: 'fast', version: '1.0', platform: 'x86_64-linux' },
  { name: 'fast', version: '1.0', platform: 'arm64-darwin' },
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
    const wanted = { web: '*', rack: '~> 3.0', fast: '>= 0.9, < 2' }
    const gems = await solveGems(entry({ gems: wanted, platforms: ['ruby'] }))
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
    expect(names(await solveGems(entry({ gemfile: path })))).toEqual(['rack-2.2.9', 'web-2.0.1'])
    expect(await readFile(`${path}.lock`, 'utf8')).toBe(lock)
  })

  test('no solution is told in Bundler’s words', async () => {
    await expect(solveGems(entry({ gems: { web: '*', rack: '~> 1.0' } }))).rejects.toMatchObject({
      code: 'unsatisfiable',
      message: expect.stringMatching(/gem app: .*rack/s),
    })
    // In a line, without where in Bundler that was said.
    await expect(solveGems(entry({ gems: { rack: '~> 99.0' } }))).rejects.toMatchObject({
      message: expect.stringMatching(
        /^gem app: Bundler finds no solution: Could not find gem 'rack \(~> 99\.0\)'/,
      ),
    })
  })

  test('credentials in a Gemfile are refused, and not repeated', async () => {
    const path = await gemfile('secret', "gem 'app', git: 'https://hunter2@git.example.test/app.git'\n")
    const error = await solveGems(entry({ gemfile: path })).catch((thrown: Error) => thrown)
    expect(String(error)).toMatch(/credentials in the address of https:\/\/git\.example\.test\/app\.git/)
    expect(String(error)).not.toContain('hunter2')
  })

  test('what is only on this computer cannot be mirrored, and is named', async () => {
    await mkdir(join(root.directory, 'local/lib'), { recursive: true })
    await writeFile(
      join(root.directory, 'local/local.gemspec'),
      "Gem::Specification.new { |s| s.name='local'; s.version='1'; s.summary='s'; s.authors=['a'] }",
    )
    const path = await gemfile('path', "gem 'local', path: '../local'\n")
    await expect(solveGems(entry({ gemfile: path }))).rejects.toMatchObject({
      code: 'unsatisfiable',
      message: expect.stringContaining(
        'gems of a path cannot be mirrored, but travel with the application: local',
      ),
    })
  })
})

describe('platforms', () => {
  test('the compiled gem for the guest is taken as Bundler there would, for no other computer’s', async () => {
    expect(names(await solveGems(entry({ gems: { fast: '*' } })))).toEqual(['fast-1.0-x86_64-linux'])
    const lock = `GEM
  remote: ${server.url}/
  specs:
    fast (1.0)
    fast (1.0-arm64-darwin)
    fast (1.0-x86_64-linux)

PLATFORMS
  arm64-darwin
  ruby
  x86_64-linux

DEPENDENCIES
  fast

BUNDLED WITH
   2.3.15
`
    const path = await gemfile('platforms', "gem 'fast'\n", lock)
    expect(names(await solveGems(entry({ gemfile: path })))).toEqual(['fast-1.0', 'fast-1.0-x86_64-linux'])
  })
})

describe('CHECKSUMS of a Gemfile.lock', () => {
  const locked = (checksum: string) => `GEM
  remote: ${server.url}/
  specs:
    rack (3.1.0)

PLATFORMS
  ruby

DEPENDENCIES
  rack

CHECKSUMS
  rack (3.1.0) sha256=${checksum}

BUNDLED WITH
   2.6.2
`
  const right = upstream.gems.find((gem) => fullName(gem) === 'rack-3.1.0')!.sha256

  test('are held against the index', async () => {
    const [digests] = await Promise.all([checked('right', right)])
    expect(digests.map(({ sha256: digest }) => digest)).toEqual([right])
    await expect(checked('wrong', '0'.repeat(64))).rejects.toMatchObject({
      code: 'digest-mismatch',
      message: `gem rack-3.1.0: Gemfile.lock promises sha256 ${'0'.repeat(64)}, the index of ${server.url}/ says ${right}`,
    })
  })

  async function checked(name: string, checksum: string) {
    const path = await gemfile(`checksums-${name}`, "gem 'rack'\n", locked(checksum))
    return await gemDigests(`${server.url}/`, await solveGems(entry({ gemfile: path })), signal)
  }
})

describe('gems from git', () => {
  const author = {
    GIT_AUTHOR_NAME: 'a',
    GIT_AUTHOR_EMAIL: 'a@example.test',
    GIT_COMMITTER_NAME: 'a',
    GIT_COMMITTER_EMAIL: 'a@example.test',
    GIT_CONFIG_GLOBAL: '/dev/null',
  }

  test('are locked with their repositories; Bundler installs them from the mirror, upstream gone', async () => {
    const [work, served] = [join(folder, 'plugin'), join(folder, 'hosted')]
    await mkdir(join(work, 'lib'), { recursive: true })
    await writeFile(join(work, 'lib/plugin.rb'), "PLUGIN = 'tagged'\n")
    await writeFile(
      join(work, 'plugin.gemspec'),
      "Gem::Specification.new { |s| s.name='plugin'; s.version='0.3'; s.summary='s'; s.authors=['a']; s.files=['lib/plugin.rb']; s.add_dependency 'rack', '>= 3' }",
    )
    const git = async (...args: string[]) =>
      (await run('git', ['-C', work, ...args], { env: author })).stdout.trim()
    await run('git', ['init', '-q', '-b', 'main', work], { env: author })
    await git('add', '.')
    await git('commit', '-q', '-m', 'one')
    await git('tag', 'v0.3')
    await run('git', ['clone', '-q', '--bare', work, join(served, 'plugin.git')], { env: author })
    const host = await serveTree(served, '127.0.0.1', 0)
    const line = `gem 'plugin', git: '${host.url}/plugin.git', tag: 'v0.3'\n`
    const solution = await solve(entry({ gemfile: await gemfile('git', line) }), root, options).finally(() =>
      host[Symbol.asyncDispose](),
    )
    expect(names(solution.gems)).toEqual(['rack-3.1.0'])
    expect(solution.git).toMatchObject([
      { name: 'app-plugin', ref: 'v0.3', kind: 'tag', commit: await git('rev-parse', 'v0.3') },
    ])

    const tree = join(folder, 'git-tree')
    await writeGitRepositories(solution.git.flatMap(gitRepositoriesOf), join(tree, 'git'), options)
    await using mirror = await serveTree(tree, '127.0.0.1', 0)
    const home = join(folder, 'git-guest')
    await mkdir(home)
    await writeFile(join(home, 'Gemfile'), `source '${server.url}/'\n${line}`)
    const rewrites = gitRewrites(solution.git, mirror.url)
    const config = rewrites.map(({ from, to }) => `[url "${to}"]\n\tinsteadOf = ${from}\n`).join('')
    await writeFile(join(home, '.gitconfig'), config)
    await rubyProgram(home, 'bundle', 'install')
    expect(await rubyProgram(home, 'bundle', 'exec', 'ruby', '-e', "require 'plugin'; puts PLUGIN")).toBe(
      'tagged\n',
    )
  })

  test('are for the guest alone', async () => {
    const path = await gemfile('git-tools', "gem 'x', git: 'https://git.example.test/x.git'\n")
    await expect(solveGems(entry({ gemfile: path, for: 'tools' }))).rejects.toMatchObject({
      code: 'input',
      message: 'gem app: gems from git (https://git.example.test/x.git) are for the guest alone',
    })
  })
})

test('gems of another address are named', async () => {
  const path = await gemfile('elsewhere', `source '${server.url}//' do\n  gem 'rack'\nend\ngem 'fast'\n`)
  const other = entry({ gemfile: path, source: 'https://gems.example.test/' })
  await expect(solveGems(other)).rejects.toMatchObject({
    code: 'input',
    message: expect.stringMatching(
      /^gem app: these come from elsewhere than https:\/\/gems\.example\.test\/: .*rack/,
    ),
  })
})

describe('the source that is written', () => {
  const store = join(folder, 'store')
  const tree = join(folder, 'tree')

  async function mirrored(): Promise<LockedGemSource> {
    const solved = await solveGems(entry({ gems: { web: '*' } }))
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

  describe('is proved offline', () => {
    const entryOf = async (name: string, text: string) => ({ gemfile: await gemfile(`proof-${name}`, text) })
    const said: string[] = []
    const prove = (source: LockedGemSource, at: string, proved: GemProof['entry'], under = '') =>
      proveGems(source, root, {
        lock: { gem: [source], git: [], tools: { deb: [], gem: [] } } as unknown as Lock,
        tree,
        folder: `${under}gem/${at}`,
        entry: proved,
        signal,
        note: (line) => said.push(line),
      })
    const served = async (source: LockedGemSource, at: string, from = store, under = '') => {
      await rm(join(tree, under, 'gem', at), { recursive: true, force: true })
      await writeGemSource(source, join(tree, under, 'gem', at), from, root, signal)
    }

    test('of the build tools, which lie elsewhere in the tree', async () => {
      const source = { ...(await mirrored()), for: 'tools' as const, name: 'chef' }
      await served(source, 'chef', store, 'tools/')
      expect(await prove(source, 'chef', await entryOf('chef', "gem 'web'\n"), 'tools/')).toEqual([])
    })

    test('by gem install of a list and bundle install of a Gemfile', async () => {
      const source = await mirrored()
      await served(source, 'app')
      expect(await prove(source, 'app', {})).toEqual([])
      expect(await prove(source, 'app', await entryOf('web', "gem 'web'\n"))).toEqual([])
      expect((await prove(source, 'app', await entryOf('fast', "gem 'fast'\n"))).join()).toMatch(
        /^gem app: bundle install fails in an empty root: Could not find gem 'fast'/,
      )
      expect(said).toEqual([])
    })

    test('a gem that lacks a dependency, or is damaged, is a fault', async () => {
      const source = await mirrored()
      const without = { ...source, gems: source.gems.filter(({ name }) => name !== 'rack') }
      await served(without, 'app')
      const web = await entryOf('less', "gem 'web'\n")
      for (const proved of [{}, web])
        expect((await prove(without, 'app', proved)).join()).toMatch(
          /^gem app: (bundle|gem) install fails in an empty root: .*rack/,
        )
      await served(source, 'app')
      const file = join(tree, 'gem/app/gems/rack-3.1.0.gem')
      const bytes = await readFile(file)
      bytes[bytes.length - 1500] = bytes[bytes.length - 1500]! ^ 0xff
      await rm(file)
      await writeFile(file, bytes)
      // Which gem's data are broken, is found where every byte is read.
      for (const proved of [{}, web])
        expect((await prove(source, 'app', proved)).join()).toMatch(
          /^gem app: (bundle|gem) install fails in an empty root: .{0,40}Zlib::DataError.{0,60}$/,
        )
    })

    test('extensions are compiled; one that cannot be is named, and the rest installed', async () => {
      const source = { ...(await mirrored()), gems: [] as LockedGem[] }
      const fast = await build(store, { name: 'native', version: '1.0', extension: 'int x;' })
      const broken = await build(store, { name: 'broken', version: '1.0', extension: '#include "no.h"' })
      source.gems = [fast, broken]
      await served(source, 'native')
      said.length = 0
      expect(await prove(source, 'native', {})).toEqual([])
      expect(said).toEqual([expect.stringMatching(/^gem app: broken-1\.0 was not compiled: .*no\.h/)])
    })
  })

  test('tells the licences that gems state', async () => {
    const source = await mirrored()
    const licenses = await licensesOf(source.gems, root, { store, signal })
    expect(Object.fromEntries(licenses)).toEqual({ 'rack-3.1.0': 'MIT', 'web-2.0.1': 'NOASSERTION' })
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
