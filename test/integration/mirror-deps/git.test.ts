import { access, appendFile, chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import type { LockedGit } from '../../../actions/lib/lock/lock.ts'
import { gitRepositoriesOf } from '../../../actions/lib/lock/repositories.ts'
import { gitRewrites } from '../../../actions/lib/mirror/git-rewrites.ts'
import { type MirrorServer, serveTree } from '../../../actions/lib/mirror/serve.ts'
import { packPath } from '../../../actions/lib/mirror/store.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { fetchGit, type GitEntry, type GitOptions, lockGit } from '../../../actions/mirror-deps/git/source.ts'
import { writeGitRepositories } from '../../../actions/mirror-deps/git/tree.ts'
import { scratch } from './folder.ts'
import { Lines } from './lines.ts'
import { type Answer, upstream } from './upstream.ts'

const folder = await scratch()
const signal = new AbortController().signal
const author = {
  GIT_AUTHOR_NAME: 'a',
  GIT_AUTHOR_EMAIL: 'a@example.test',
  GIT_COMMITTER_NAME: 'a',
  GIT_COMMITTER_EMAIL: 'a@example.test',
  GIT_CONFIG_GLOBAL: '/dev/null',
}

const wantsLogin: Answer = (_, response) =>
  void response.writeHead(401, { 'www-authenticate': 'Basic realm="x"', 'content-length': 0 }).end()

/** Brings everything of a source into the store; returns the bytes. */
async function fetched(locked: LockedGit, options: GitOptions): Promise<number> {
  let bytes = 0
  for (const one of gitRepositoriesOf(locked)) bytes += await fetchGit(one, folder, options)
  return bytes
}

/** Lays the sources out as the mirror does. */
async function laidOut(sources: readonly LockedGit[], tree: string, options: GitOptions): Promise<void> {
  await writeGitRepositories(sources.flatMap(gitRepositoriesOf), join(tree, 'git'), options)
}

let count = 0
async function places() {
  const work = join(folder, `work-${++count}`)
  await mkdir(work)
  return { store: join(folder, `store-${count}`), work, signal }
}

async function git(repository: string, ...args: string[]): Promise<string> {
  return (await run('git', ['-C', repository, ...args], { env: author })).stdout.trim()
}

/** Two commits on main, the first tagged v1 (annotated), one more on a branch, and a hook that would execute. */
async function repository(name: string): Promise<string> {
  const path = join(folder, name)
  await run('git', ['init', '-q', '-b', 'main', path], { env: author })
  await writeFile(join(path, 'licences.csv'), 'ABCD-1234\n')
  await git(path, 'add', '.')
  await git(path, 'commit', '-q', '-m', 'one')
  await git(path, 'tag', '-a', 'v1', '-m', 'first')
  await writeFile(join(path, 'licences.csv'), 'EFGH-5678\n')
  await git(path, 'commit', '-q', '-a', '-m', 'two')
  await git(path, 'branch', 'beta/2')
  const hook = join(path, '.git/hooks/post-checkout')
  await mkdir(join(path, '.git/hooks'), { recursive: true })
  await writeFile(hook, '#!/bin/sh\ntouch /tmp/appliance-hook-ran\n')
  await chmod(hook, 0o755)
  return path
}

const entry = (url: string, ref: string): GitEntry => ({ name: 'catalogue', url, ref, path: url })

const origin = await repository('origin')

describe('a git repository', () => {
  test.each([
    ['v1', 'tag'],
    ['main', 'branch'],
    ['beta/2', 'branch'],
    ['HEAD~1', 'commit'],
  ])('is locked at %s, a %s, and cloned from the mirror', async (ref, kind) => {
    const options = await places()
    const commit = await git(origin, 'rev-parse', `${ref}^{commit}`)
    const locked = await lockGit(entry(origin, ref), options)
    expect(locked).toMatchObject({ name: 'catalogue', ref, kind, commit })

    const tree = join(folder, `tree-${count}`)
    await laidOut([locked], tree, options)
    const [served, clone] = [join(tree, 'git/catalogue.git'), join(folder, `clone-${count}`)]
    await using server = await serveTree(tree, '127.0.0.1', 0)
    const address = `${server.url}/git/catalogue.git`
    await run('git', ['clone', '-q', address, clone], { env: author })
    expect(await git(clone, 'rev-parse', 'HEAD')).toBe(commit)
    expect(await readFile(join(clone, 'licences.csv'), 'utf8')).toBe(
      ref === 'v1' || ref === 'HEAD~1' ? 'ABCD-1234\n' : 'EFGH-5678\n',
    )
    if (kind !== 'commit') {
      await run('git', ['clone', '-q', '--depth', '1', '-b', ref, address, `${clone}-ref`], { env: author })
      expect(await git(`${clone}-ref`, 'rev-list', '--count', 'HEAD')).toBe('1')
    }
    if (kind === 'branch') expect(await git(clone, 'branch', '--show-current')).toBe(ref)
    await expect(access(join(served, 'hooks'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('an annotated tag stays what it is', async () => {
    const options = await places()
    const locked = await lockGit(entry(origin, 'v1'), options)
    const tag = await git(origin, 'rev-parse', 'v1')
    expect(locked.tag).toBe(tag)
    expect(locked.commit).not.toBe(tag)
    const tree = join(folder, `tree-${count}`)
    await laidOut([locked], tree, options)
    expect(await git(join(tree, 'git/catalogue.git'), 'cat-file', '-p', 'v1')).toContain('first')
  })

  test('a commit by its id is brought alone; an abbreviated one is found', async () => {
    const commit = await git(origin, 'rev-parse', 'HEAD~1')
    expect(await lockGit(entry(origin, commit), await places())).toMatchObject({ kind: 'commit', commit })
    expect(await lockGit(entry(origin, commit.slice(0, 10)), await places())).toMatchObject({
      kind: 'commit',
      commit,
    })
  })

  test('gives the same digest from a path, a bundle and an address', async () => {
    const bundle = join(folder, 'origin.bundle')
    await git(origin, 'bundle', 'create', '-q', bundle, '--all')
    const bare = join(folder, 'served/origin.git')
    await run('git', ['clone', '-q', '--bare', origin, bare], { env: author })
    await git(bare, 'update-server-info')
    await using server = await serveTree(join(folder, 'served'), '127.0.0.1', 0)
    const address = `${server.url}/origin.git`
    const locks = [
      await lockGit(entry(origin, 'v1'), await places()),
      await lockGit(entry(bundle, 'v1'), await places()),
      await lockGit({ name: 'catalogue', url: address, ref: 'v1', path: undefined }, await places()),
    ]
    expect(new Set(locks.map(({ commit }) => commit)).size).toBe(1)
    expect(new Set(locks.map(({ objects }) => objects)).size).toBe(1)
    const all = await git(origin, 'rev-list', '--objects', '--no-object-names', 'v1')
    const ids = new Set(all.trim().split('\n'))
    const sizes = await Promise.all([...ids].map((id) => git(origin, 'cat-file', '-s', id)))
    const size = sizes.reduce((sum, one) => sum + Number(one), 0)
    expect(locks.map((locked) => locked.size)).toEqual([size, size, size])
  })

  test('is fetched by its commit, wherever the branch points now, and only once', async () => {
    const path = await repository('moving')
    const locked = await lockGit(entry(path, 'main'), await places())
    await writeFile(join(path, 'licences.csv'), 'IJKL-9012\n')
    await git(path, 'commit', '-q', '-a', '-m', 'three')
    const fresh = await places()
    expect(await fetched(locked, fresh)).toBeGreaterThan(0)
    expect(await fetched(locked, fresh)).toBe(0)
    await laidOut([locked], join(folder, 'moved'), fresh)
    expect(await git(join(folder, 'moved/git/catalogue.git'), 'rev-parse', 'main')).toBe(locked.commit)
  })

  test('a commit that is gone is named', async () => {
    const path = await repository('rewritten')
    const locked = await lockGit(entry(path, 'main'), await places())
    await git(path, 'branch', '-q', '-D', 'beta/2')
    await git(path, 'reset', '-q', '--hard', 'v1')
    await git(path, 'reflog', 'expire', '--expire=now', '--all')
    await git(path, 'gc', '-q', '--prune=now')
    await expect(fetched(locked, await places())).rejects.toMatchObject({
      code: 'gone',
      message: expect.stringContaining(locked.commit),
      hint: expect.stringContaining('appliance lock --update'),
    })
  })

  test('other objects than locked are refused', async () => {
    const locked = await lockGit(entry(origin, 'v1'), await places())
    const wrong = { ...locked, objects: '0'.repeat(64) }
    await expect(fetched(wrong, await places())).rejects.toMatchObject({ code: 'digest-mismatch' })
  })

  test('a damaged pack does not reach the tree and does not stay', async () => {
    const options = await places()
    const locked = await lockGit(entry(origin, 'v1'), options)
    const pack = packPath(options.store, locked.objects)
    await chmod(pack, 0o644)
    await appendFile(pack, 'x')
    await expect(laidOut([locked], join(folder, 'damaged'), options)).rejects.toMatchObject({
      code: 'digest-mismatch',
    })
    expect(await fetched(locked, options)).toBeGreaterThan(0)
  })

  test('a ref that is not there is the user’s to mend; an address that does not answer is named', async () => {
    await expect(lockGit(entry(origin, 'v9'), await places())).rejects.toMatchObject({
      code: 'input',
      message: expect.stringContaining('no tag, branch or commit v9'),
    })
    await expect(lockGit(entry(origin, '--help'), await places())).rejects.toMatchObject({ code: 'input' })
    const nowhere = join(folder, 'nowhere')
    await expect(lockGit(entry(nowhere, 'v1'), await places())).rejects.toMatchObject({
      code: 'input',
      message: expect.stringMatching(new RegExp(`: there is no ${nowhere}$`)),
    })
    const dead = { ...entry('http://127.0.0.1:9/x.git', 'v1'), path: undefined }
    await expect(lockGit(dead, await places())).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('http://127.0.0.1:9/x.git could not be read'),
    })
    await using closed = await upstream({ '/x.git/info/refs?service=git-upload-pack': wantsLogin })
    await expect(lockGit(entry(`${closed.url}/x.git`, 'v1'), await places())).rejects.toMatchObject({
      code: 'unreachable',
      message: `git catalogue: ${closed.url}/x.git could not be read: it wants credentials, and has not been given the right ones`,
    })
  })
})

describe('a re-pointed tag', () => {
  test('is warned about while its commit can be had, and explained when it cannot', async () => {
    const path = await repository('retagged')
    await git(path, 'tag', 'light')
    const locked = await lockGit(entry(path, 'light'), await places())
    await writeFile(join(path, 'licences.csv'), 'other\n')
    await git(path, 'commit', '-q', '--amend', '-a', '-m', 'rewritten')
    await git(path, 'tag', '-f', 'light')
    const now = await git(path, 'rev-parse', 'light')
    const log = new Lines()
    await fetchGit(gitRepositoriesOf(locked)[0]!, folder, { ...(await places()), log })
    expect(log.lines.join('\n')).toContain(`its tag light was ${locked.commit} when it was locked`)
    await git(path, 'branch', '-D', 'beta/2')
    await git(path, 'reflog', 'expire', '--expire=now', '--all')
    await git(path, 'gc', '-q', '--prune=now')
    await expect(fetched(locked, await places())).rejects.toMatchObject({
      code: 'gone',
      message: `git catalogue: ${path} no longer has commit ${locked.commit} (tag light); its tag light was ${locked.commit} when it was locked, and leads to ${now} now`,
      hint: expect.stringContaining('appliance lock --update catalogue'),
    })
  })
})

describe('submodules', () => {
  const servers = new Set<MirrorServer>()
  afterAll(async () => {
    for (const server of servers) await server[Symbol.asyncDispose]()
  })

  /** Upstream: app → lib (relative, twice at different commits) → deep (absolute), over HTTP. */
  async function upstream() {
    const root = await mkdtemp(join(folder, 'upstream-'))
    const server = await serveTree(root, '127.0.0.1', 0)
    servers.add(server)
    const make = async (name: string, modules: [path: string, url: string, from: string, at?: string][]) => {
      const work = join(root, `${name}-work`)
      await run('git', ['init', '-q', '-b', 'main', work], { env: author })
      await writeFile(join(work, 'name'), `${name}\n`)
      await git(work, 'add', '.')
      await git(work, 'commit', '-q', '-m', 'one')
      for (const [path, url, from, at] of modules) {
        await git(work, '-c', 'protocol.file.allow=always', 'submodule', '-q', 'add', from, path)
        await git(work, 'config', '-f', '.gitmodules', `submodule.${path}.url`, url)
        if (at) await git(join(work, path), 'checkout', '-q', at)
        await git(work, 'add', '.')
      }
      await git(work, 'commit', '-q', '--allow-empty', '-m', 'two')
      await run('git', ['clone', '-q', '--bare', work, join(root, 'team', `${name}.git`)], { env: author })
      return join(root, 'team', `${name}.git`)
    }
    const deep = await make('deep', [])
    const lib = await make('lib', [['vendor/deep', `${server.url}/team/deep.git`, deep]])
    const older = await git(lib, 'rev-parse', 'HEAD~1')
    await make('app', [
      ['vendor/lib', '../lib.git', lib],
      ['vendor/old lib', './../lib.git', lib, older],
    ])
    return { server, older, root }
  }

  test('are locked recursively, and an unmodified git clones them from the mirror alone', async () => {
    const options = await places()
    const { server: there, older } = await upstream()
    const url = `${there.url}/team/app.git`
    const locked = await lockGit({ name: 'app', url, ref: 'main', path: undefined }, options)
    await there[Symbol.asyncDispose]()
    servers.delete(there)
    expect(locked.submodules.map(({ name, path, url: from }) => [name, path, from])).toEqual([
      ['app.vendor.lib', 'vendor/lib', `${there.url}/team/lib.git`],
      ['app.vendor.lib.vendor.deep', 'vendor/lib/vendor/deep', `${there.url}/team/deep.git`],
      ['app.vendor.old.lib', 'vendor/old lib', `${there.url}/team/lib.git`],
    ])
    expect(locked.submodules[2]!.commit).toBe(older)

    const tree = join(folder, `tree-${count}`)
    await laidOut([locked], tree, options)
    await using server = await serveTree(tree, '127.0.0.1', 0)
    const rewrites = gitRewrites([locked], server.url)
    const config = join(folder, `config-${count}`)
    for (const { from, to } of rewrites)
      await run('git', ['config', '-f', config, '--add', `url.${to}.insteadOf`, from], { env: author })
    const guest = { ...author, GIT_CONFIG_GLOBAL: config }
    for (const [index, address] of [url, `${server.url}/git/app.git`].entries()) {
      const clone = join(folder, `recursive-${count}-${index}`)
      await run('git', ['clone', '-q', '--recursive', address, clone], { env: guest })
      expect(await readFile(join(clone, 'vendor/lib/vendor/deep/name'), 'utf8')).toBe('deep\n')
      expect(await git(join(clone, 'vendor/old lib'), 'rev-parse', 'HEAD')).toBe(older)
    }
  })

  test('that upstream lost are named', async () => {
    const { server, root } = await upstream()
    const lib = join(root, 'team/lib.git')
    await rm(lib, { recursive: true })
    await run('git', ['init', '-q', '--bare', lib], { env: author })
    const url = `${server.url}/team/app.git`
    await expect(
      lockGit({ name: 'app', url, ref: 'main', path: undefined }, await places()),
    ).rejects.toMatchObject({
      code: 'gone',
      message: expect.stringMatching(
        /^git app: its submodule vendor\/(old )?lib wants commit [0-9a-f]{40}, which .*team\/lib/,
      ),
    })
  })
})

describe('one repository that is wanted at two places', () => {
  /** main and v1 as ever, beta/2 led to a commit of its own, and one that only its id finds. */
  async function forked() {
    const path = await repository(`forked-${count}`)
    const child = async (message: string) =>
      await git(path, 'commit-tree', 'HEAD^{tree}', '-p', 'HEAD', '-m', message)
    await git(path, 'branch', '-f', 'beta/2', await child('three'))
    await git(path, 'branch', 'lone', await child('four'))
    return { path, lone: await git(path, 'rev-parse', 'lone') }
  }

  test.each([
    ['two branches', ['main', 'beta/2'], 'main'],
    ['a tag and a branch', ['v1', 'main'], undefined],
    ['a commit and a branch', ['lone', 'main'], undefined],
    ['a branch and a commit', ['main', 'lone'], 'main'],
  ])('%s: any ordinary client finds both', async (_, wanted, head) => {
    const options = await places()
    const { path, lone } = await forked()
    const refs = wanted.map((name) => (name === 'lone' ? lone : name))
    const sources = []
    for (const [index, ref] of refs.entries())
      sources.push(await lockGit({ ...entry(path, ref), name: `place-${index + 1}` }, options))
    const tree = join(folder, `tree-${count}`)
    await laidOut(sources, tree, options)
    await using server = await serveTree(tree, '127.0.0.1', 0)
    for (const [index, own] of sources.entries())
      for (const [kind, prefix] of [
        ['served', server.url],
        ['files', `file://${tree}`],
      ]) {
        const clone = join(folder, `both-${count}-${index}-${kind}`)
        const address = `${prefix}/git/place-${index + 1}.git`
        await run('git', ['clone', '-q', address, clone], { env: author })
        expect(await git(clone, 'rev-parse', 'HEAD')).toBe(own.commit)
        for (const { commit } of sources) await git(clone, 'checkout', '-q', '--detach', commit)
        // What Berkshelf and chef-cli ask their copy for.
        const bare = `${clone}.git`
        await run('git', ['clone', '-q', '--bare', address, bare], { env: author })
        for (const { ref, commit } of sources) expect(await git(bare, 'rev-parse', `${ref}^0`)).toBe(commit)
      }
    if (head) expect(await git(join(tree, 'git/place-1.git'), 'symbolic-ref', '--short', 'HEAD')).toBe(head)
  })

  test('a branch as it was and as it is: each repository leads it to its own', async () => {
    const options = await places()
    const { path } = await forked()
    const before = await lockGit({ ...entry(path, 'beta/2'), name: 'before' }, options)
    await git(path, 'branch', '-f', 'beta/2', 'v1^0')
    const after = await lockGit({ ...entry(path, 'beta/2'), name: 'after' }, options)
    const tree = join(folder, `tree-${count}`)
    await laidOut([before, after], tree, options)
    for (const [own, other] of [
      [before, after],
      [after, before],
    ] as const) {
      const clone = join(folder, `moved-${count}-${own.name}`)
      await run('git', ['clone', '-q', `file://${tree}/git/${own.name}.git`, clone], { env: author })
      expect(await git(clone, 'rev-parse', 'origin/beta/2')).toBe(own.commit)
      await git(clone, 'cat-file', '-e', other.commit)
    }
  })
})

test('files in Git LFS are refused, in one line', async () => {
  const path = await repository('large')
  await writeFile(join(path, '.gitattributes'), '*.png filter=lfs diff=lfs merge=lfs -text\n')
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 12345\n`
  await writeFile(join(path, 'logo.png'), pointer)
  await git(path, 'add', '.')
  await git(path, 'commit', '-q', '-m', 'large')
  const commit = await git(path, 'rev-parse', 'HEAD')
  await expect(lockGit(entry(path, 'main'), await places())).rejects.toMatchObject({
    code: 'input',
    message: `git catalogue: ${commit.slice(0, 12)} keeps 1 files in Git LFS (logo.png), which cannot be mirrored`,
  })
})

test.each([
  ['MIT License\n\nCopyright', 'MIT'],
  [
    '                                 Apache License\n                           Version 2.0, January 2004\n',
    'Apache-2.0',
  ],
  ['SPDX-License-Identifier: GPL-2.0-or-later\n', 'GPL-2.0-or-later'],
  ['GNU GENERAL PUBLIC LICENSE\nVersion 3', 'NOASSERTION'],
])('the licence is told where its text is beyond doubt: %j', async (text, license) => {
  const path = await repository(`licensed-${count}`)
  await writeFile(join(path, 'LICENSE.md'), `# ${text}`)
  await git(path, 'add', '.')
  await git(path, 'commit', '-q', '-m', 'licence')
  expect(await lockGit(entry(path, 'main'), await places())).toMatchObject({ license })
})
