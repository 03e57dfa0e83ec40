import { readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, describe, expect, jest, test } from '@jest/globals'
import type { LockedDebRepository } from '../../../actions/lib/lock/lock.ts'
import { serveTree } from '../../../actions/lib/mirror/serve.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { PrivateApt } from '../../../actions/mirror-deps/deb/apt.ts'
import { proveIndexes } from '../../../actions/mirror-deps/deb/chain.ts'
import { type DebSource, resolveDebs, wantedOfRepository } from '../../../actions/mirror-deps/deb/source.ts'
import { writeDebRepository } from '../../../actions/mirror-deps/deb/tree.ts'
import { fetchAll } from '../../../actions/mirror-deps/fetch/fetch.ts'
import { mirrorKey } from '../../../actions/mirror-deps/mirror-key.ts'
import { publish, publishFlat } from './archive.ts'
import { scratch } from './folder.ts'
import { Lines } from './lines.ts'
import { signingKey } from './signing-key.ts'

jest.setTimeout(60_000)
const folder = await scratch()
const signal = new AbortController().signal
const served = join(folder, 'served')
const web = (version: string) => ({ name: 'web', version, control: { Depends: 'data' } })
const data = (version: string) => ({ name: 'data', version, arch: 'all' })

const stable = await publish(join(served, 'stable'), { bookworm: [web('1.22'), data('1.22')] })
const backports = await publish(join(served, 'backports'), {
  'bookworm-backports': [web('1.26'), data('1.26')],
})
const twin = await publish(join(served, 'twin'), { bookworm: [web('1.22')] })
const both = ['amd64', 'i386']
const libc = (arch: string) => ({
  name: 'libc',
  version: '2',
  arch,
  control: { 'Multi-Arch': 'same', Essential: 'yes' },
})
const multi = await publish(
  join(served, 'multi'),
  {
    bookworm: [
      libc('amd64'),
      libc('i386'),
      { name: 'wine', version: '8', arch: 'i386', control: { Depends: 'libc' } },
    ],
  },
  { architectures: both },
)
const flat = await publishFlat(join(served, 'flat'), [
  { name: 'agent', version: '3', control: { Depends: 'agent-data' } },
  { name: 'agent-data', version: '3', arch: 'all' },
])
const server = await serveTree(served, '127.0.0.1', 0)
afterAll(async () => await server[Symbol.asyncDispose]())

const source = (name: string, suite: string, keyring: string, more: Partial<DebSource> = {}): DebSource => ({
  name,
  uri: `${server.url}/${name}`,
  suites: [suite],
  components: ['main'],
  signedBy: keyring,
  ...more,
})

let count = 0
async function resolved(sources: DebSource[], packages: string[]) {
  const store = join(folder, `store-${++count}`)
  const directory = join(folder, `apt-${count}`)
  const repositories = await resolveDebs(sources, packages, { directory, store, signal })
  return { repositories, store }
}
const listed = ({ repositories }: { repositories: LockedDebRepository[] }) =>
  repositories
    .flatMap(({ packages }) => packages.map((deb) => `${deb.name} ${deb.version} ${deb.arch}`))
    .sort()

describe('pins', () => {
  const choose = (less: Partial<DebSource>, more: Partial<DebSource> = {}) =>
    resolved(
      [
        source('stable', 'bookworm', stable.keyring, more),
        source('backports', 'bookworm-backports', backports.keyring, less),
      ],
      ['web'],
    )

  test('without any, the newest version counts', async () => {
    expect(listed(await choose({}))).toEqual(['data 1.26 all', 'web 1.26 amd64'])
  })

  test('a repository of lower priority gives what no other has, and what a pin takes from it', async () => {
    expect(listed(await choose({ priority: 100 }))).toEqual(['data 1.22 all', 'web 1.22 amd64'])
    const pins = [{ packages: ['we*'], priority: 990 }]
    expect(listed(await choose({ priority: 100, pins }))).toEqual(['data 1.22 all', 'web 1.26 amd64'])
  })

  test('a version may be pinned, by a pattern', async () => {
    const pins = [{ packages: ['web', 'data'], version: '1.22*', priority: 1001 }]
    expect(listed(await choose({}, { pins }))).toEqual(['data 1.22 all', 'web 1.22 amd64'])
  })

  test('a priority that would be that of another repository, too, is refused', async () => {
    const sources = [
      source('stable', 'bookworm', stable.keyring),
      source('twin', 'bookworm', twin.keyring, { priority: 100 }),
    ]
    await expect(resolved(sources, ['web'])).rejects.toMatchObject({
      code: 'input',
      message: expect.stringMatching(/apt cannot tell .*(stable|twin).* from .*(stable|twin)/),
    })
  })
})

describe('other architectures', () => {
  test('are named, indexed each on its own, and bring no essential packages', async () => {
    const from = await resolved(
      [source('multi', 'bookworm', multi.keyring, { architectures: both })],
      ['wine:i386'],
    )
    expect(listed(from)).toEqual(['libc 2 amd64', 'libc 2 i386', 'wine 8 i386'])
    expect(from.repositories[0]!.evidence.map(({ path }) => path)).toContain(
      'dists/bookworm/main/binary-i386/Packages.gz',
    )
    const tree = await written(from)
    const suite = join(tree, 'dists/appliance')
    expect(await readFile(join(suite, 'Release'), 'utf8')).toMatch(/^Architectures: amd64 i386$/m)
    expect(await readFile(join(suite, 'main/binary-amd64/Packages'), 'utf8')).not.toContain('wine')
    expect(await guest(tree, ['wine:i386'], both)).toEqual(['libc amd64', 'libc i386', 'wine i386'])
  })

  test('amd64 alone does not see them', async () => {
    const from = await resolved([source('multi', 'bookworm', multi.keyring)], [])
    expect(listed(from)).toEqual(['libc 2 amd64'])
  })
})

test('a flat repository is taken, and served as any other', async () => {
  const from = await resolved([source('flat', './', flat.keyring, { uri: `file://${flat.root}` })], ['agent'])
  const [repository] = from.repositories
  expect(repository!.evidence.map(({ path }) => path)).toEqual(['keys/flat.gpg', 'InRelease', 'Packages'])
  expect(repository!.components).toEqual([])
  expect(repository!.packages.map(({ path }) => path).sort()).toEqual(['agent-data.deb', 'agent.deb'])
  expect(await guest(await written(from), ['agent'])).toEqual(['agent amd64', 'agent-data all'])
})

test('an archive with the older pair of Release and Release.gpg is taken, and proved again', async () => {
  const key = await signingKey()
  const old = await publish(join(served, 'old'), { lenny: [data('1')] }, { key })
  const suite = join(old.root, 'dists/lenny')
  const signed = await readFile(join(suite, 'InRelease'), 'utf8')
  const text = /\n\n([\s\S]*)\n-----BEGIN PGP SIGNATURE/.exec(signed)![1]!
  await rm(join(suite, 'InRelease'))
  await writeFile(join(suite, 'Release'), text)
  await writeFile(join(suite, 'Release.gpg'), await key.detached(text, new Date('2026-11-21T09:15:44Z')))
  const { repositories, store } = await resolved([source('old', 'lenny', old.keyring)], ['data'])
  const [repository] = repositories
  expect(repository!.evidence.map(({ path }) => path)).toEqual([
    'keys/old.gpg',
    'dists/lenny/Release',
    'dists/lenny/Release.gpg',
    'dists/lenny/main/binary-amd64/Packages.gz',
  ])
  const chain = { store, directory: join(folder, 'chain'), keyring: '/none', signal }
  expect(await proveIndexes(repository!, chain)).toMatchObject({ faults: [], missing: [], notes: [] })
})

describe('an archive that wants credentials', () => {
  const taken = async (netrc: string) => {
    await using closed = await locked(served, 'ann', 'se:cret')
    process.env.NETRC = join(folder, 'netrc')
    await writeFile(process.env.NETRC, netrc)
    const from = source('stable', 'bookworm', stable.keyring, { uri: `${closed.url}/stable` })
    return await resolved([from], ['web']).finally(() => delete process.env.NETRC)
  }

  test('is given those of the netrc file, which are kept nowhere', async () => {
    const { repositories, store } = await taken('machine 127.0.0.1 login ann password se:cret\n')
    expect(repositories[0]!.packages).toHaveLength(2)
    expect(JSON.stringify(repositories)).not.toContain('cret')
    const { stdout } = await run('grep', ['-rl', 'cret', folder, '--exclude=netrc'], { allowFailure: true })
    expect([store, stdout]).toEqual([store, ''])
  })

  test('refuses others, and none', async () => {
    for (const netrc of ['machine 127.0.0.1 login ann password wrong\n', '']) {
      const error = await taken(netrc).catch((thrown: Error) => thrown)
      expect(error).toMatchObject({
        code: 'unreachable',
        message: expect.stringContaining('401'),
        hint: expect.stringContaining('~/.netrc'),
      })
    }
  })
})

/** Serves a folder to who knows the password. */
async function locked(directory: string, user: string, password: string) {
  const basic = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
  const server = createServer((request, response) => {
    if (request.headers.authorization !== basic)
      return void response
        .writeHead(401, { 'www-authenticate': 'Basic realm="x"', 'content-length': 0 })
        .end()
    const path = join(directory, new URL(request.url!, 'http://x').pathname)
    readFile(path).then(
      (content) => response.end(content),
      () => response.writeHead(404, { 'content-length': 0 }).end(),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function written({ repositories, store }: Awaited<ReturnType<typeof resolved>>): Promise<string> {
  const [repository] = repositories
  await fetchAll(wantedOfRepository(repository!), {
    store,
    sharedStore: undefined,
    log: new Lines(),
    signal,
    verify: false,
  })
  const key = await mirrorKey(join(folder, 'key'))
  await writeFile(join(folder, 'mirror.gpg'), key.publicKey)
  const tree = `${store}-tree`
  await writeDebRepository(repository!, tree, store, key, signal)
  return tree
}

/** What the guest's apt would install. */
async function guest(tree: string, packages: string[], architectures = ['amd64']): Promise<string[]> {
  const ours = {
    name: 'ours',
    uri: `file://${tree}`,
    suites: ['appliance'],
    components: ['main'],
    architectures,
    signedBy: join(folder, 'mirror.gpg'),
  }
  const apt = await PrivateApt.make(`${tree}-guest`, [ours], signal)
  await apt.update()
  return (await apt.solve(packages)).map(({ name, arch }) => `${name} ${arch}`).sort()
}
