import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, jest, test } from '@jest/globals'
import { defaults } from '../../../actions/appliance/build.ts'
import { sha256, sha256File } from '../../../actions/lib/files/digest.ts'
import { exists } from '../../../actions/lib/files/exists.ts'
import { objectPath } from '../../../actions/lib/mirror/store.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { execute } from '../../../actions/lib/stage/execute.ts'
import { openProject } from '../../../actions/lib/stage/project.ts'
import { mirrorDeps } from '../../../actions/mirror-deps/stage.ts'
import { contentsOf } from './archive.ts'
import { scratch } from './folder.ts'
import { Lines } from './lines.ts'
import { bytes, type Upstream, upstream } from './upstream.ts'

jest.setTimeout(60_000)
process.env.APPLIANCE_CACHE = 'off'
const folder = await scratch()
let count = 0

const bodies = { '/jdk.tar.gz': 'a runtime', '/data.bin': 'some data' }
const serving = (more: Record<string, ReturnType<typeof bytes>> = {}) =>
  upstream({
    ...Object.fromEntries(Object.entries(bodies).map(([path, body]) => [path, bytes(body)])),
    ...more,
  })

/** A project with two files and a git repository. */
async function project(from: Upstream, more = ''): Promise<string> {
  const directory = join(folder, `project ${++count}`)
  const repository = join(directory, 'catalogue')
  await run('git', ['init', '-q', '-b', 'main', repository])
  await writeFile(join(repository, 'licences.csv'), 'ABCD-1234\n')
  await run('git', ['-C', repository, 'add', '.'])
  const author = ['-c', 'user.name=a', '-c', 'user.email=a@example.test']
  await run('git', ['-C', repository, ...author, 'commit', '-q', '-m', 'one'])
  const urls = Object.keys(bodies).map((path) => `    - { url: '${from.url}${path}' }\n`)
  const text = `name: box\nversion: 1.0.0\nmirror:\n${more}  git:\n    - { url: catalogue, ref: main }\n  file:\n${urls.join('')}`
  await writeFile(join(directory, 'appliance.yml'), text)
  return directory
}

async function mirror(directory: string, inputs: Record<string, unknown> = {}) {
  const log = new Lines()
  const own = { ...defaults(mirrorDeps.inputs), ...inputs }
  const execution = await execute(mirrorDeps, await openProject(directory, 'appliance.yml'), own, {
    log,
    signal: new AbortController().signal,
    verify: false,
    inside: () => Promise.reject(new Error('no')),
  })
  const store = join(directory, 'build/mirror-deps/store')
  const tree = join(directory, 'build/mirror-deps/tree')
  return { ...execution, log, store, tree, values: execution.thisRun.values }
}

/** Years later: the folder as it is in version control. */
async function yearsLater(directory: string): Promise<void> {
  await rm(join(directory, 'build'), { recursive: true })
  await rm(join(directory, 'catalogue'), { recursive: true })
}

const steady = async (tree: string) =>
  Object.entries(await contentsOf(tree)).filter(
    ([name]) => /^(git|file)\//.test(name) && !/\.(idx|rev)$/.test(name),
  )

test('--archive writes it, also when the mirror is up to date; --from-archive needs no upstream at all', async () => {
  const archive = join(folder, 'kept/mirror.tar.zst')
  let directory: string
  let before: unknown
  {
    await using from = await serving()
    directory = await project(from)
    const first = await mirror(directory)
    before = await steady(first.tree)
    const again = await mirror(directory, { archive })
    expect(again.state).toBe('up-to-date')
    expect(again.log.lines).toContain(`${await sha256File(archive)}  ${archive}`)
  }
  await yearsLater(directory)
  await expect(mirror(directory)).rejects.toMatchObject({
    message: expect.stringMatching(/^file .*\nfile .*\ngit catalogue: there is no .*catalogue any more, and/),
  })
  const later = await mirror(directory, { 'from-archive': '../kept/mirror.tar.zst' })
  expect(later.values).toMatchObject({ 'cache-hit': 'true', 'downloaded-bytes': '0' })
  expect(later.log.lines).toContain('archive mirror.tar.zst: gave 3 of the 3 artefacts that were lacking')
  expect(await steady(later.tree)).toEqual(before)
  // The same mirror, the same bytes.
  const copy = join(folder, 'kept/again.tar.zst')
  await mirror(directory, { archive: copy })
  expect(await sha256File(copy)).toBe(await sha256File(archive))
})

test('only what an archive lacks is fetched from upstream', async () => {
  await using from = await serving()
  const directory = await project(from)
  const { store } = await mirror(directory)
  const archive = join(folder, 'poor.tar.zst')
  const lacks = sha256(bodies['/data.bin'])
  await run('tar', [
    '--format=ustar',
    '--zstd',
    '-cf',
    archive,
    `--exclude=*${lacks}`,
    '-C',
    join(store, '..'),
    'store',
  ])
  await rm(join(directory, 'build'), { recursive: true })
  from.asked.length = 0
  const later = await mirror(directory, { 'from-archive': archive })
  expect(from.asked).toEqual(['/data.bin'])
  expect(later.values).toMatchObject({ 'cache-hit': 'false', 'downloaded-bytes': '9' })
  expect(later.log.lines).toContain('archive poor.tar.zst: upstream is asked for file data.bin')
})

test('what the store has, whole, is not taken from it; a damaged object is', async () => {
  await using from = await serving()
  const directory = await project(from)
  const archive = join(folder, 'whole.tar.zst')
  const { store } = await mirror(directory, { archive })
  await writeFile(objectPath(store, sha256('a runtime')), 'a runtimE')
  from.asked.length = 0
  const healed = await mirror(directory, { 'from-archive': archive })
  expect(healed.log.lines).toContain('archive whole.tar.zst: gave 1 of the 1 artefacts that were lacking')
  expect(from.asked).toEqual([])
  expect(await readFile(objectPath(store, sha256('a runtime')), 'utf8')).toBe('a runtime')
})

test('an archive at an address: locked with its digest, asked before upstream, resumed, and not kept', async () => {
  const body: { archive: Buffer; asked: (string | undefined)[]; there: boolean } = {
    archive: Buffer.alloc(0),
    asked: [],
    there: true,
  }
  const server = createServer((request, response) => {
    body.asked.push(request.headers.range)
    if (!body.there) return void response.writeHead(404).end()
    const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const length = body.archive.length - start
    const range = { 'content-range': `bytes ${start}-${body.archive.length - 1}/${body.archive.length}` }
    response.writeHead(start > 0 ? 206 : 200, {
      'content-length': length,
      etag: '"1"',
      ...(start > 0 ? range : {}),
    })
    if (start > 0) return void response.end(body.archive.subarray(start))
    response.write(body.archive.subarray(0, 300), () => response.destroy())
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mirror.tar.zst`
  try {
    await using from = await serving()
    const directory = await project(from)
    const file = join(folder, 'published.tar.zst')
    await mirror(directory, { archive: file })
    body.archive = await readFile(file)
    const spec = join(directory, 'appliance.yml')
    const text = await readFile(spec, 'utf8')
    await writeFile(spec, text.replace('mirror:\n', `mirror:\n  archive: ${url}\n`))
    await expect(mirror(directory)).rejects.toMatchObject({
      message: expect.stringContaining('archive is not in the lock'),
    })
    await mirror(directory, { update: ['catalogue'] })
    const lock = JSON.parse(await readFile(join(directory, 'appliance.lock.json'), 'utf8'))
    expect(lock.archive).toEqual({ url, sha256: sha256(body.archive), size: body.archive.length })
    expect(body.asked).toEqual([undefined, 'bytes=300-'])
    expect(await exists(join(directory, 'build/mirror-deps/archive'))).toBe(false)
    // The archive of a lock that names an archive is that archive.
    const again = join(folder, 'republished.tar.zst')
    await mirror(directory, { archive: again })
    expect(await sha256File(again)).toBe(lock.archive.sha256)

    from.asked.length = 0
    await rm(join(directory, 'build'), { recursive: true })
    const later = await mirror(directory)
    expect(from.asked).toEqual([])
    expect(later.log.lines).toContainEqual(
      expect.stringMatching(/^archive [0-9a-f]{64}.tar.zst: gave 3 of the 3 artefacts/),
    )
    expect(later.values).toMatchObject({
      'cache-hit': 'false',
      'downloaded-bytes': String(body.archive.length),
    })
    expect(await exists(join(directory, 'build/mirror-deps/archive'))).toBe(false)

    // An archive that is gone, too, is a warning unless it was asked for.
    await rm(join(directory, 'build'), { recursive: true })
    body.there = false
    await expect(mirror(directory, { 'from-archive': url })).rejects.toMatchObject({ code: 'gone' })
    await expect(mirror(directory, { 'from-archive': `${url}.old` })).rejects.toMatchObject({
      code: 'input',
      message: `the lock has no digest for the archive ${url}.old; it names ${url}`,
    })
    const fallen = await mirror(directory)
    expect(fallen.log.lines).toContainEqual(
      expect.stringMatching(/^archive mirror.*; going upstream instead$/),
    )
    expect(from.asked).toHaveLength(2)
  } finally {
    server.closeAllConnections()
    server.close()
  }
})

test('an archive that is not there, or is refused, is an error of one line; what was taken stays', async () => {
  await using from = await serving()
  const directory = await project(from)
  await mirror(directory)
  await rm(join(directory, 'build'), { recursive: true })
  from.asked.length = 0
  await expect(mirror(directory, { 'from-archive': 'none.tar.zst' })).rejects.toMatchObject({
    code: 'input',
    message: `from-archive: there is no archive ${join(directory, 'none.tar.zst')}`,
  })
  const evil = join(folder, 'evil')
  await mkdir(join(evil, 'store'), { recursive: true })
  await run('ln', ['-s', '/etc/passwd', join(evil, 'store/link')])
  await run('tar', ['--format=ustar', '--zstd', '-cf', `${evil}.tar.zst`, '-C', evil, 'store'])
  await expect(mirror(directory, { 'from-archive': `${evil}.tar.zst` })).rejects.toMatchObject({
    message:
      'evil.tar.zst is refused: "store/link" is a symbolic link; an archive of a mirror has plain files only',
  })
  expect(from.asked).toEqual([])
})

test('a git pack that is not what it should be is found, fetched again, and counted', async () => {
  await using from = await serving()
  const directory = await project(from)
  const { store } = await mirror(directory)
  const [pack] = await readdir(join(store, 'git'))
  const path = join(store, 'git', pack!)
  const good = await readFile(path)
  const bad = Buffer.from(good)
  bad[good.length - 30]! ^= 1
  await rm(path)
  await writeFile(path, bad)
  await rm(join(store, '../stage.json'))
  const healed = await mirror(directory)
  expect(healed.thisRun.summary).toMatch(/^\| git catalogue \| 1 \|.*\| 1 \|$/m)
  expect(await readFile(path)).toEqual(good)
})
