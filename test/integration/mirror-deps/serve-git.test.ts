import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, test } from '@jest/globals'
import { type Access, accessLine } from '../../../actions/lib/mirror/serve/access.ts'
import { type MirrorServer, serveTree } from '../../../actions/lib/mirror/serve.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { scratch } from './folder.ts'

const folder = await scratch()
const root = join(folder, 'tree')
const repository = join(root, 'git/app.git')

/** An unmodified client: nothing of this computer's settings. */
async function git(args: string[], env: Record<string, string> = {}, allowFailure = false) {
  const quiet = { GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', GIT_TERMINAL_PROMPT: '0' }
  const person = { GIT_AUTHOR_NAME: 'A', GIT_AUTHOR_EMAIL: 'a@example.test' }
  const committer = { GIT_COMMITTER_NAME: 'A', GIT_COMMITTER_EMAIL: 'a@example.test' }
  return await run('git', args, { env: { ...quiet, ...person, ...committer, ...env }, allowFailure })
}
const count = async (clone: string) =>
  Number((await git(['-C', clone, 'rev-list', '--count', 'HEAD'])).stdout)

let commits: string[]
beforeAll(async () => {
  const work = join(folder, 'work')
  await git(['init', '-q', '-b', 'main', work])
  for (const number of [1, 2, 3]) {
    await writeFile(join(work, 'file'), `${number}\n`)
    await git(['-C', work, 'add', '.'])
    await git(['-C', work, 'commit', '-q', '-m', `commit ${number}`])
  }
  await git(['-C', work, 'tag', 'v1', 'HEAD~1'])
  commits = (await git(['-C', work, 'rev-list', 'HEAD'])).stdout.trim().split('\n')
  await mkdir(join(root, 'git'), { recursive: true })
  await git(['clone', '-q', '--bare', work, repository])
  await git(['-C', repository, 'update-server-info'])
})

/** Serves, and says at the end what was asked for. */
async function served(work: (server: MirrorServer, url: string) => Promise<void>): Promise<string[]> {
  const told: Access[] = []
  const failures: Error[] = []
  await using server = await serveTree(root, '127.0.0.1', 0, {
    onAccess: (one) => told.push(one),
    onFailure: (error) => failures.push(error),
  })
  await work(server, `${server.url}/git/app.git`)
  expect(failures).toEqual([])
  return told.map(accessLine)
}

let number = 0
const fresh = () => join(folder, `clone-${++number}`)

describe('git, served by git itself', () => {
  test('is cloned with its tags, whatever the version of the protocol', async () => {
    for (const version of ['0', '1', '2']) {
      const clone = fresh()
      const lines = await served((_, url) =>
        git(['-c', `protocol.version=${version}`, 'clone', '-q', '-b', 'v1', url, clone]).then(() => {}),
      )
      expect(
        lines.every((line) => /^(GET|POST) .*(service=git-upload-pack|git-upload-pack) 200 /.test(line)),
      ).toBe(true)
      expect(await readFile(join(clone, 'file'), 'utf8')).toBe('2\n')
      expect(await count(clone)).toBe(2)
    }
  })

  test('is cloned shallow, deepened, and cloned without its files', async () => {
    await served(async (server, url) => {
      const clone = fresh()
      await git(['clone', '-q', '--depth', '1', url, clone])
      expect(await count(clone)).toBe(1)
      await git(['-C', clone, 'fetch', '-q', '--deepen', '1'])
      expect(await count(clone)).toBe(2)
      await git(['-C', clone, 'fetch', '-q', '--unshallow'])
      expect(await count(clone)).toBe(3)
      const bare = fresh()
      const { stderr } = await git(['clone', '-q', '--bare', '--filter=blob:none', url, bare])
      expect(stderr).not.toContain('filtering not recognized')
      expect(server.missed.size).toBe(0)
    })
  })

  test('gives one commit by its id, also to clients of the first protocol', async () => {
    await served(async (_, url) => {
      for (const version of ['0', '2']) {
        const clone = fresh()
        await git(['init', '-q', clone])
        await git([
          '-c',
          `protocol.version=${version}`,
          '-C',
          clone,
          'fetch',
          '-q',
          '--depth',
          '1',
          url,
          commits[1]!,
        ])
        expect((await git(['-C', clone, 'rev-parse', 'FETCH_HEAD'])).stdout.trim()).toBe(commits[1])
      }
    })
  })

  test('gives what is new, and understands a long question, which clients compress', async () => {
    const lines = await served(async (_, url) => {
      const clone = fresh()
      await git(['clone', '-q', '--depth', '1', url, clone])
      // Many commits that the mirror does not know: the client tells them all, by gzip from 1 KiB on.
      const tree = (await git(['-C', clone, 'rev-parse', 'HEAD^{tree}'])).stdout.trim()
      let parent = commits[0]!
      for (let index = 0; index < 40; index++)
        parent = (await git(['-C', clone, 'commit-tree', '-p', parent, '-m', `${index}`, tree])).stdout.trim()
      await git(['-C', clone, 'reset', '-q', '--hard', parent])
      await git(['-C', clone, '-c', 'protocol.version=0', 'fetch', '-q', '--unshallow', 'origin'])
      expect(await count(clone)).toBe(43)
    })
    expect(lines.filter((line) => line.startsWith('POST')).length).toBeGreaterThan(1)
  })

  test('still works as plain files', async () => {
    const clone = fresh()
    const lines = await served((_, url) =>
      git(['clone', '-q', url, clone], { GIT_SMART_HTTP: '0' }).then(() => {}),
    )
    expect(lines.some((line) => line.startsWith('GET /git/app.git/info/refs 200 '))).toBe(true)
    expect(lines.join('\n')).not.toContain('POST')
    expect(await count(clone)).toBe(3)
  })

  test('a question by gzip is understood', async () => {
    await served(async (_, url) => {
      const body = gzipSync('0014command=ls-refs\n0000')
      const headers = {
        'content-type': 'application/x-git-upload-pack-request',
        'content-encoding': 'gzip',
        'git-protocol': 'version=2',
      }
      const answer = await fetch(`${url}/git-upload-pack`, { method: 'POST', body, headers })
      expect(answer.status).toBe(200)
      expect(answer.headers.get('content-type')).toBe('application/x-git-upload-pack-result')
      expect(await answer.text()).toContain(`${commits[0]} refs/heads/main`)
    })
  })

  test('cannot be written to', async () => {
    await served(async (_, url) => {
      const clone = fresh()
      await git(['clone', '-q', url, clone])
      await git(['-C', clone, 'commit', '-q', '--allow-empty', '-m', 'mine'])
      const pushed = await git(['-C', clone, 'push', '-q', 'origin', 'main'], {}, true)
      expect(pushed.status).not.toBe(0)
      expect(pushed.stderr).toMatch(/403|read-only/)
      const answer = await fetch(`${url}/git-receive-pack`, { method: 'POST', body: '0000' })
      expect(answer.status).toBe(403)
    })
    expect((await git(['-C', repository, 'rev-parse', 'main'])).stdout.trim()).toBe(commits[0])
  })

  test('what is no repository is not there, and told with what would add it', async () => {
    await served(async (server) => {
      const other = await git(['ls-remote', `${server.url}/git/other.git`], {}, true)
      expect(other.stderr).toContain('not found')
      expect(server.lacking()).toEqual([
        {
          path: '/git/other.git/info/refs?service=git-upload-pack',
          times: 1,
          remedy: 'add a source named other to mirror.git',
        },
      ])
      const post = await fetch(`${server.url}/git/other.git/git-upload-pack`, {
        method: 'POST',
        body: '0000',
      })
      expect(post.status).toBe(405)
    })
  })

  test('many clients at once, and none of git left afterwards', async () => {
    await served(async (_, url) => {
      await Promise.all(Array.from({ length: 8 }, () => git(['clone', '-q', url, fresh()])))
    })
    expect(await backends()).toEqual([])
  })

  test('a client that goes away, and the end of the server, end what git still does', async () => {
    await using server = await serveTree(root, '127.0.0.1', 0)
    // The question is announced and never comes: git waits for it.
    const head = 'POST /git/app.git/git-upload-pack HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n'
    const open = () => {
      const socket = connect(server.port, '127.0.0.1')
      socket.on('error', () => {})
      socket.write(`${head}Content-Type: application/x-git-upload-pack-request\r\n\r\n0014`)
      return socket
    }
    const gone = open()
    await until(async () => (await backends()).length > 0)
    gone.destroy()
    await until(async () => (await backends()).length === 0)
    open()
    await until(async () => (await backends()).length > 0)
    const began = performance.now()
    await server[Symbol.asyncDispose]()
    expect(performance.now() - began).toBeLessThan(15_000)
    await until(async () => (await backends()).length === 0)
  })
})

/** Processes of git that work for our tree, on behalf of a server. */
async function backends(): Promise<string[]> {
  const found: string[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')
    if (environment.includes(`GIT_PROJECT_ROOT=${root}`)) found.push(pid)
  }
  return found
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error('it never came to that')
}
