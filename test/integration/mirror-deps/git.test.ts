import { access, appendFile, chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { serveTree } from '../../../actions/lib/mirror/serve.ts'
import { packPath } from '../../../actions/lib/mirror/store.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { fetchGit, type GitEntry, lockGit, restoreGit } from '../../../actions/mirror-deps/git/source.ts'
import { scratch } from './folder.ts'

const folder = await scratch()
const signal = new AbortController().signal
const author = {
  GIT_AUTHOR_NAME: 'a',
  GIT_AUTHOR_EMAIL: 'a@example.test',
  GIT_COMMITTER_NAME: 'a',
  GIT_COMMITTER_EMAIL: 'a@example.test',
  GIT_CONFIG_GLOBAL: '/dev/null',
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
  test.each(['v1', 'main', 'beta/2', 'HEAD~1'])('is locked at %s and cloned from the mirror', async (ref) => {
    const options = await places()
    const commit = await git(origin, 'rev-parse', `${ref}^{commit}`)
    const locked = await lockGit(entry(origin, ref), options)
    expect(locked).toMatchObject({ name: 'catalogue', ref, commit })

    const tree = join(folder, `tree-${count}`)
    await restoreGit({ ...locked, ref: ref === 'HEAD~1' ? commit : ref }, join(tree, 'git/c.git'), options)
    await using server = await serveTree(tree, '127.0.0.1', 0)
    const clone = join(folder, `clone-${count}`)
    await run('git', ['clone', '-q', `${server.url}/git/c.git`, clone], { env: author })
    expect(await git(clone, 'rev-parse', 'HEAD')).toBe(commit)
    expect(await readFile(join(clone, 'licences.csv'), 'utf8')).toBe(
      ref === 'v1' || ref === 'HEAD~1' ? 'ABCD-1234\n' : 'EFGH-5678\n',
    )
    if (ref === 'v1' || ref === 'beta/2')
      await run('git', ['clone', '-q', '-b', ref, `${server.url}/git/c.git`, `${clone}-ref`], { env: author })
    await expect(access(join(tree, 'git/c.git/hooks'))).rejects.toMatchObject({ code: 'ENOENT' })
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
  })

  test('is fetched by its commit, wherever the branch points now, and only once', async () => {
    const path = await repository('moving')
    const locked = await lockGit(entry(path, 'main'), await places())
    await writeFile(join(path, 'licences.csv'), 'IJKL-9012\n')
    await git(path, 'commit', '-q', '-a', '-m', 'three')
    const fresh = await places()
    expect(await fetchGit(locked, folder, fresh)).toBeGreaterThan(0)
    expect(await fetchGit(locked, folder, fresh)).toBe(0)
    await restoreGit(locked, join(folder, 'moved.git'), fresh)
    expect(await git(join(folder, 'moved.git'), 'rev-parse', 'main')).toBe(locked.commit)
  })

  test('a commit that is gone is named', async () => {
    const path = await repository('rewritten')
    const locked = await lockGit(entry(path, 'main'), await places())
    await git(path, 'branch', '-q', '-D', 'beta/2')
    await git(path, 'reset', '-q', '--hard', 'v1')
    await git(path, 'reflog', 'expire', '--expire=now', '--all')
    await git(path, 'gc', '-q', '--prune=now')
    await expect(fetchGit(locked, folder, await places())).rejects.toMatchObject({
      code: 'gone',
      message: expect.stringContaining(locked.commit),
      hint: expect.stringContaining('appliance lock --update'),
    })
  })

  test('other objects than locked are refused', async () => {
    const locked = await lockGit(entry(origin, 'v1'), await places())
    const wrong = { ...locked, objects: '0'.repeat(64) }
    await expect(fetchGit(wrong, folder, await places())).rejects.toMatchObject({ code: 'digest-mismatch' })
  })

  test('a damaged pack does not reach the tree and does not stay', async () => {
    const options = await places()
    const locked = await lockGit(entry(origin, 'v1'), options)
    const pack = packPath(options.store, locked.objects)
    await chmod(pack, 0o644)
    await appendFile(pack, 'x')
    await expect(restoreGit(locked, join(folder, 'damaged.git'), options)).rejects.toMatchObject({
      code: 'digest-mismatch',
    })
    expect(await fetchGit(locked, folder, options)).toBeGreaterThan(0)
  })

  test('a ref that is not there is the user’s to mend; an address that does not answer is named', async () => {
    await expect(lockGit(entry(origin, 'v9'), await places())).rejects.toMatchObject({
      code: 'input',
      message: expect.stringContaining('no tag, branch or commit v9'),
    })
    await expect(lockGit(entry(origin, '--help'), await places())).rejects.toMatchObject({ code: 'input' })
    const nowhere = join(folder, 'nowhere')
    await expect(lockGit(entry(nowhere, 'v1'), await places())).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining(nowhere),
    })
  })
})
