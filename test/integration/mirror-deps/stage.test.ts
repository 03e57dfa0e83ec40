import { access, appendFile, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, describe, expect, jest, test } from '@jest/globals'
import { defaults } from '../../../actions/appliance/build.ts'
import { readLock } from '../../../actions/lib/lock/file.ts'
import { serveTree } from '../../../actions/lib/mirror/serve.ts'
import { objectPath } from '../../../actions/lib/mirror/store.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { execute } from '../../../actions/lib/stage/execute.ts'
import { openProject } from '../../../actions/lib/stage/project.ts'
import { mirrorDeps } from '../../../actions/mirror-deps/stage.ts'
import { contentsOf, publish } from './archive.ts'
import { scratch } from './folder.ts'
import { Lines } from './lines.ts'
import { bytes, type Upstream, upstream } from './upstream.ts'

jest.setTimeout(120_000)
process.env.APPLIANCE_CACHE = 'off'
const folder = await scratch()
const base = { name: 'base', version: '12', arch: 'all', control: { Essential: 'yes' } }
const web = (version: string) => ({ name: 'web', version, control: { Depends: 'base' } })
const served = join(folder, 'served/debian')
const archive = await publish(served, { bookworm: [base, web('1.22-9')] })
const debian = await serveTree(join(folder, 'served'), '127.0.0.1', 0)
afterAll(async () => await debian[Symbol.asyncDispose]())

let count = 0
/** A project (in a folder with a blank in its name) that takes from every kind of source but gems. */
async function project(files: Upstream, more = ''): Promise<string> {
  const directory = join(folder, `a project ${++count}`)
  const repository = join(directory, 'catalogue')
  await mkdir(directory)
  await run('git', ['init', '-q', '-b', 'main', repository])
  await writeFile(join(repository, 'licences.csv'), 'ABCD-1234\n')
  await run('git', ['-C', repository, 'add', '.'])
  const author = ['-c', 'user.name=a', '-c', 'user.email=a@example.test']
  await run('git', ['-C', repository, ...author, 'commit', '-q', '-m', 'one'])
  await writeFile(
    join(directory, 'appliance.yml'),
    `name: box
version: 1.0.0
mirror:
  deb:
    - { name: debian, uri: '${debian.url}/debian', suites: [bookworm], signed_by: ${archive.keyring}, packages: [web${more}] }
  git:
    - { url: catalogue, ref: main }
  file:
    - { url: '${files.url}/jdk%201.tar.gz', name: jdk }
`,
  )
  return directory
}

interface Asked {
  verify?: true
  frozen?: true
  update?: 'all'
  archive?: string
}

async function mirror(directory: string, inputs: Asked = {}) {
  const log = new Lines()
  const execution = await execute(
    mirrorDeps,
    await openProject(directory, 'appliance.yml'),
    { ...defaults(mirrorDeps.inputs), ...inputs },
    {
      log,
      signal: new AbortController().signal,
      verify: false,
      inside: () => Promise.reject(new Error('no')),
    },
  )
  const value = (name: string) => execution.thisRun.values[name]
  return { ...execution, log, value, tree: join(directory, 'build/mirror-deps/tree') }
}

const files = () => upstream({ '/jdk%201.tar.gz': bytes('a runtime') })

describe('mirror-deps', () => {
  test('locks, fetches and lays out; the next run asks nobody for anything', async () => {
    await using from = await files()
    const directory = await project(from)
    const first = await mirror(directory)
    expect(first.state).toBe('done')
    expect(first.value('cache-hit')).toBe('false')
    expect(first.log.lines).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^packages: 2 from debian, /),
        'git repositories: catalogue',
        'files: 1, 9 B',
      ]),
    )
    expect(Object.keys(await contentsOf(first.tree)).filter((name) => !name.startsWith('git/'))).toEqual([
      'deb/appliance-mirror.gpg',
      'deb/debian/dists/appliance/InRelease',
      'deb/debian/dists/appliance/Release',
      'deb/debian/dists/appliance/main/binary-amd64/Packages',
      'deb/debian/dists/appliance/main/binary-amd64/Packages.gz',
      'deb/debian/pool/main/b/base/base_12_all.deb',
      'deb/debian/pool/main/w/web/web_1.22-9_amd64.deb',
      'deb/dists/appliance/InRelease',
      'deb/dists/appliance/Release',
      'deb/dists/appliance/main/binary-amd64/Packages',
      'deb/dists/appliance/main/binary-amd64/Packages.gz',
      'file/jdk/jdk 1.tar.gz',
      'tools/deb/appliance-mirror.gpg',
    ])
    const asked = from.asked.length
    const second = await mirror(directory, { frozen: true })
    expect(second.state).toBe('up-to-date')
    expect(from.asked).toHaveLength(asked)
    await expect(access(join(directory, 'build/.work/mirror-deps'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('locking tells of every source that fails, a line each, and keeps what the others gave', async () => {
    await using from = await files()
    const directory = await project(from, ', nothing-like-it')
    const spec = join(directory, 'appliance.yml')
    const text = (await readFile(spec, 'utf8')).replace('ref: main', 'ref: v9')
    const dead = 'http://127.0.0.1:9'
    await writeFile(
      spec,
      `${text}    - { url: '${from.url}/none.tar.gz', sha256: ${'a'.repeat(64)} }
    - { url: '${dead}/never.tar.gz', sha256: ${'b'.repeat(64)} }
    - { url: '${from.url}/other.tar.gz' }
`,
    )
    const failed = await mirror(directory).catch((error: Error) => error)
    expect(String(failed).split('\n')).toEqual([
      expect.stringMatching(/: .*nothing-like-it/),
      expect.stringMatching(/^file never\.tar\.gz: .*127\.0\.0\.1:9/),
      expect.stringMatching(/^file none\.tar\.gz is not at /),
      expect.stringMatching(/^git catalogue: .* has no tag, branch or commit v9/),
      expect.stringMatching(/^file other\.tar\.gz is not at /),
    ])
    // What could be had is in the store, and not asked for again.
    const asked = from.asked.filter((path) => path.includes('jdk')).length
    expect(asked).toBe(1)
    await expect(access(join(directory, 'appliance.lock.json'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('a lock gives the same mirror elsewhere, and the same lock again', async () => {
    await using from = await files()
    const directory = await project(from)
    const first = await mirror(directory)
    const lock = await readFile(join(directory, 'appliance.lock.json'), 'utf8')
    const before = await contentsOf(first.tree)
    const recordFile = join(directory, 'build/mirror-deps/stage.json')
    const record = await readFile(recordFile, 'utf8')
    await rm(recordFile)
    // Another run, which had nothing to download, of the same result.
    expect((await mirror(directory)).value('cache-hit')).toBe('true')
    expect(await readFile(recordFile, 'utf8')).toBe(record)
    expect(JSON.parse(await readFile(join(directory, 'build/mirror-deps/run.json'), 'utf8'))).toEqual({
      'cache-hit': 'true',
      'downloaded-bytes': '0',
    })
    const key = join(directory, 'build/mirror-deps/key')
    await run('cp', ['-a', key, join(directory, 'key')])
    await rm(join(directory, 'build'), { recursive: true })
    await mkdir(join(directory, 'build/mirror-deps'), { recursive: true })
    await run('cp', ['-a', join(directory, 'key'), key])

    const again = await mirror(directory, { frozen: true })
    expect(again.value('cache-hit')).toBe('false')
    expect(Number(again.value('downloaded-bytes'))).toBeGreaterThan(0)
    // git's own packs are not byte-stable; what is in them was compared with the lock.
    const steady = (contents: Record<string, string>) =>
      Object.entries(contents).filter(([name]) => !name.includes('/objects/pack/'))
    expect(steady(await contentsOf(again.tree))).toEqual(steady(before))
    await mirror(directory, { update: 'all' })
    expect(await readFile(join(directory, 'appliance.lock.json'), 'utf8')).toBe(lock)
  })

  test('a mirror that was damaged is found out and healed', async () => {
    await using from = await files()
    const directory = await project(from)
    const { tree } = await mirror(directory)
    const lock = (await readLock(join(directory, 'appliance.lock.json')))!
    const object = objectPath(join(directory, 'build/mirror-deps/store'), lock.file[0]!.sha256)
    await appendFile(object, '!')
    const healed = await mirror(directory)
    expect(healed.state).toBe('done')
    expect(healed.log.lines.join('\n')).toContain('mirror changed')
    expect(await readFile(join(tree, 'file/jdk/jdk 1.tar.gz'), 'utf8')).toBe('a runtime')
    expect((await mirror(directory, { verify: true })).state).toBe('up-to-date')
  })

  test('so are objects of git that a disk changed, and repositories that somebody has been at', async () => {
    await using from = await files()
    const directory = await project(from)
    const { tree } = await mirror(directory)
    const packs = join(directory, 'build/mirror-deps/store/git')
    const [pack] = await readdir(packs)
    const whole = await readFile(join(packs, pack!))
    await writeFile(
      join(packs, pack!),
      whole.map((byte, index) => (index === 40 ? byte ^ 1 : byte)),
    )
    const healed = await mirror(directory)
    expect(healed.log.lines.join('\n')).toContain('mirror changed')
    expect((await mirror(directory, { verify: true })).state).toBe('up-to-date')

    await rm(join(tree, 'file/jdk/jdk 1.tar.gz'))
    await symlink('/etc/passwd', join(tree, 'file/jdk/passwd'))
    const index = join(tree, 'deb/dists/appliance/main/binary-amd64/Packages')
    const saved = join(directory, 'saved')
    await run('cp', ['-p', index, saved])
    await writeFile(index, (await readFile(index, 'utf8')).replace('1.22-9', '1.22-8'))
    await run('touch', ['-r', saved, index])
    await expect(mirror(directory, { verify: true })).rejects.toMatchObject({
      code: 'digest-mismatch',
      message: expect.stringMatching(
        /tree\/deb\/dists\/appliance\/main\/binary-amd64\/Packages has other bytes than were written\ntree\/file\/jdk\/jdk 1\.tar\.gz is no longer there\ntree\/file\/jdk\/passwd is not the mirror's/,
      ),
    })
    expect((await mirror(directory)).log.lines.join('\n')).toContain('tree changed')
    expect((await mirror(directory, { verify: true })).state).toBe('up-to-date')
    expect((await mirror(directory)).state).toBe('up-to-date')
    await rm(tree, { recursive: true })
    expect((await mirror(directory)).state).toBe('done')
  })

  test('an archive is called one; what verifies changes nothing', async () => {
    await using from = await files()
    const directory = await project(from)
    await expect(mirror(directory, { archive: '/tmp/mirror.zip' })).rejects.toMatchObject({
      code: 'input',
      message: expect.stringContaining('a name that ends in .tar.zst'),
    })
    await mirror(directory)
    await expect(mirror(directory, { verify: true, update: 'all' })).rejects.toMatchObject({
      code: 'input',
      message: 'verify changes nothing, so neither update nor from-archive goes with it',
    })
    const file = join(directory, 'mirror.tar.zst')
    await mirror(directory, { verify: true, archive: file })
    expect((await stat(file)).size).toBeGreaterThan(0)
  })

  test('what upstream has dropped since is gone, by name, and nothing of the old mirror is harmed', async () => {
    await publish(served, { bookworm: [base, web('1.22-9')] })
    await using from = await files()
    const directory = await project(from)
    const first = await mirror(directory)
    const lock = (await readLock(join(directory, 'appliance.lock.json')))!
    const deb = lock.deb[0]!.packages.find(({ name }) => name === 'web')!
    await rm(join(served, deb.path))
    await publish(served, { bookworm: [base, web('1.22-10')] })
    expect((await mirror(directory)).state).toBe('up-to-date')
    await rm(objectPath(join(directory, 'build/mirror-deps/store'), deb.sha256))
    await expect(mirror(directory, { frozen: true })).rejects.toMatchObject({
      code: 'gone',
      message: `deb web 1.22-9 of debian is no longer at ${debian.url}/debian/${deb.path}: upstream now has 1.22-10`,
      hint: expect.stringMatching(
        /give the source a snapshot: address; or move on: appliance lock --update debian$/,
      ),
    })
    expect((await stat(join(first.tree, 'deb/debian', deb.path))).size).toBe(deb.size)

    const updated = await mirror(directory, { update: 'all' })
    expect(updated.log.lines).toContain('lock: deb web 1.22-9 → 1.22-10')
    expect(Object.keys(await contentsOf(updated.tree)).join()).not.toContain('1.22-9')
    expect((await mirror(directory)).state).toBe('up-to-date')
  })

  test('frozen writes no lock; a lock for another spec is refused', async () => {
    await using from = await files()
    const directory = await project(from)
    await expect(mirror(directory, { frozen: true })).rejects.toMatchObject({
      code: 'input',
      hint: expect.stringContaining('appliance lock'),
    })
    await expect(access(join(directory, 'appliance.lock.json'))).rejects.toMatchObject({ code: 'ENOENT' })
    await mirror(directory)
    const spec = join(directory, 'appliance.yml')
    await writeFile(spec, (await readFile(spec, 'utf8')).replace('[web]', '[base]'))
    await expect(mirror(directory)).rejects.toMatchObject({
      code: 'input',
      message: expect.stringContaining('out of step: deb debian changed since it was locked'),
    })
  })
})
