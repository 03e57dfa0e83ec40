import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { describeLockChanges } from '../../../actions/lib/lock/changes.ts'
import { readLock, writeLock } from '../../../actions/lib/lock/file.ts'
import type { Lock, LockedDeb } from '../../../actions/lib/lock/lock.ts'
import { lockParts, misfits } from '../../../actions/lib/lock/parts.ts'
import { readSpec } from '../../../actions/lib/spec/read.ts'
import { lockOf } from '../../fixtures/lock.ts'

const digest = 'ab'.repeat(32)
const deb = (name: string, version: string): LockedDeb => ({
  name,
  version,
  arch: 'amd64',
  path: `pool/main/${name}_${version}_amd64.deb`,
  license: 'NOASSERTION',
  sha256: digest,
  size: 10,
})

const lock = (...packages: LockedDeb[]): Lock =>
  lockOf({
    deb: [
      {
        name: 'debian',
        uri: 'https://deb.debian.org/debian',
        suites: ['bookworm'],
        components: ['main'],
        timestamp: '20261101T000000Z',
        evidence: [],
        packages,
      },
    ],
  })

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'appliance-lock-'))
  path = join(folder, 'appliance.lock.json')
})
afterEach(() => rm(folder, { recursive: true }))

test('what is written is read again, sorted whatever the order was', async () => {
  await writeLock(path, lock(deb('nginx', '1'), deb('bash', '5')))
  const first = await readFile(path, 'utf8')
  await writeLock(path, lock(deb('bash', '5'), deb('nginx', '1')))
  expect(await readFile(path, 'utf8')).toBe(first)
  expect((await readLock(path))?.deb[0]?.packages.map(({ name }) => name)).toEqual(['bash', 'nginx'])
})

test('no lock is undefined', async () => {
  expect(await readLock(path)).toBeUndefined()
})

test.each([
  ['that is no JSON', (text: string) => text.slice(0, -5), /^appliance\.lock\.json: is no JSON: /],
  [
    'with a merge conflict',
    (text: string) => text.replace('  "deb"', '<<<<<<< HEAD\n  "deb"'),
    /^appliance\.lock\.json:5:1: a merge conflict begins here$/,
  ],
  [
    'with a digest of the wrong length and a path that leads out of the mirror',
    (text: string) => text.replace(digest, 'abcd').replace('pool/main/nginx', '../../nginx'),
    /^appliance\.lock\.json:14:61: deb\[1\]\.packages\[1\]\.path: expected a path inside the repository, got "\.\.\/\.\.\/nginx_1_amd64\.deb"\nappliance\.lock\.json:14:134: deb\[1\]\.packages\[1\]\.sha256: expected a SHA-256: .*, got "abcd"$/,
  ],
  [
    'with a name that is a path',
    (text: string) => text.replace('"nginx"', '"../nginx"'),
    /^appliance\.lock\.json:14:\d+: deb\[1\]\.packages\[1\]\.name: expected a name or version, got "\.\.\/nginx"$/,
  ],
  [
    'of a newer appliance',
    (text: string) => text.replace('"schema": 1', '"schema": 2').replace('"file"', '"files"'),
    /^appliance\.lock\.json is of schema 2; this appliance knows schema 1 only$/,
  ],
])('a lock %s is refused, with what to do', async (_, damage, expected) => {
  await writeLock(path, lock(deb('nginx', '1')))
  await writeFile(path, damage(await readFile(path, 'utf8')))
  await expect(readLock(path)).rejects.toMatchObject({
    code: 'input',
    message: expect.stringMatching(expected),
    hint: expect.stringContaining(' '),
  })
})

describe('changes', () => {
  test('are a line each', () => {
    const before = lock(deb('nginx', '1'), deb('bash', '5'))
    const after = lock(deb('nginx', '2'), deb('curl', '8'))
    expect(describeLockChanges(before, after)).toEqual([
      'deb nginx 1 → 2',
      'added deb curl 8',
      'removed deb bash 5',
    ])
    expect(describeLockChanges(undefined, lock(deb('bash', '5')))).toEqual(['added deb bash 5'])
  })

  test('of one version among several of a name are seen', () => {
    const before = lock(deb('rack', '2.2'), deb('rack', '3.0'))
    expect(describeLockChanges(before, lock(deb('rack', '3.0'), deb('rack', '2.2')))).toEqual([])
    expect(describeLockChanges(before, lock(deb('rack', '2.3'), deb('rack', '3.0')))).toEqual([
      'deb rack 2.2, 3.0 → 2.3, 3.0',
    ])
  })

  test('of the bytes of a version are told', () => {
    const other = { ...deb('nginx', '1'), sha256: 'cd'.repeat(32) }
    expect(describeLockChanges(lock(deb('nginx', '1')), lock(other))).toEqual([
      'deb nginx 1: other bytes, same version',
    ])
  })
})

test('an artefact is a line', async () => {
  await writeLock(path, lock(deb('nginx', '1')))
  expect((await readFile(path, 'utf8')).split('\n').filter((line) => line.includes('nginx'))).toEqual([
    `        { "name": "nginx", "version": "1", "arch": "amd64", "path": "pool/main/nginx_1_amd64.deb", "license": "NOASSERTION", "size": 10, "sha256": "${digest}" }`,
  ])
})

describe('the parts of a lock', () => {
  const spec = async (text = '') => {
    const directory = await mkdtemp(join(folder, 'p'))
    await writeFile(join(directory, 'Gemfile'), 'gem "rack"\n')
    await writeFile(
      join(directory, 'appliance.yml'),
      `name: box
version: 1.0.0
mirror:
  gem: [{ name: app, gemfile: Gemfile }]
  deb: [{ name: debian, uri: https://deb.debian.org/debian, suites: [bookworm] }]
${text}`,
    )
    return { directory, read: () => readSpec(join(directory, 'appliance.yml')) }
  }

  test('are those of the content, wherever the project lies', async () => {
    const [one, other] = [await spec(), await spec('product: { title: Box }\n')]
    expect(await lockParts(await one.read())).toEqual(await lockParts(await other.read()))
  })

  test('change alone: with a Gemfile, its lock, the tools or the base machine', async () => {
    const { directory, read } = await spec()
    const locked = lockOf({ for: await lockParts(await read()) })
    expect(await misfits(await read(), locked)).toEqual([])
    await writeFile(join(directory, 'Gemfile.lock'), 'GEM\n')
    expect(await misfits(await read(), locked)).toEqual(['gem app changed since it was locked'])
    await writeFile(join(directory, 'Gemfile'), 'gem "puma"\n')
    expect(await misfits(await read(), locked)).toEqual(['gem app changed since it was locked'])
    const tools = await (await spec('tools: { suite: forky }\n')).read()
    expect(await misfits(tools, locked)).toEqual(['tools changed since it was locked'])
    const based = await (await spec('basebox: { bootstrap: { suite: bookworm } }\n')).read()
    expect(await misfits(based, locked)).toEqual(['basebox changed since it was locked'])
  })

  test('that came or went are named', async () => {
    const locked = lockOf({ for: { ...(await lockParts(await (await spec()).read())), 'git old': digest } })
    delete locked.for['gem app']
    expect(await misfits(await (await spec()).read(), locked)).toEqual([
      'gem app is not in the lock',
      'git old is locked, but no longer in the spec',
    ])
  })
})

describe('cookbooks of a Berksfile', () => {
  const cookbooks = (version: string) =>
    lockOf({
      cookbook: [
        {
          name: 'chef/Berksfile',
          solution: 'GRAPH\n  web (1.0.0)\n',
          cookbooks: [{ name: 'web', version, url: 'https://market.test/web', sha256: digest, size: 10 }],
          git: [],
          fromGit: [
            {
              name: 'own',
              version: '0.1.0',
              repository: 'berksfile-own',
              commit: 'a'.repeat(40),
              folder: '',
            },
          ],
          local: [{ name: 'here', path: 'cookbooks/here' }],
        },
      ],
    })

  test('are read as they were written, and their changes told', async () => {
    await writeLock(path, cookbooks('1.0.0'))
    expect(await readLock(path)).toEqual(cookbooks('1.0.0'))
    expect(describeLockChanges(cookbooks('1.0.0'), cookbooks('1.1.0'))).toEqual([
      'cookbook web 1.0.0 → 1.1.0',
    ])
  })

  test('are locked anew when the file, its lock or the metadata of a path changes', async () => {
    const put = async (name: string, text: string) => {
      await mkdir(dirname(join(folder, name)), { recursive: true })
      await writeFile(join(folder, name), text)
    }
    await put('chef/Berksfile', "source 'https://market.test'\ncookbook 'own', path: '../own'\n")
    await put('own/metadata.rb', "name 'own'\n")
    await put(
      'appliance.yml',
      `name: x
version: 1.0.0
mirror:
  deb: [{ name: debian, uri: "https://deb.debian.org/debian", suites: [bookworm] }]
  gem: [{ name: chef, gems: { chef-bin: "*", berkshelf: "*" }, for: tools }]
basebox: { bootstrap: { suite: bookworm } }
chef: { license: accept }
provision: [{ chef_solo: { berksfile: chef/Berksfile, run_list: [own] } }]
`,
    )
    const spec = await readSpec(join(folder, 'appliance.yml'))
    const there = lockOf({ for: await lockParts(spec) })
    expect(await misfits(spec, there)).toEqual([])
    for (const [name, text] of [
      ['own/metadata.rb', "name 'own'\ndepends 'web'\n"],
      ['chef/Berksfile.lock', 'GRAPH\n'],
      ['chef/Berksfile', "source 'https://other.test'\n"],
    ] as const) {
      const before = await readFile(join(folder, name), 'utf8').catch(() => '')
      await put(name, text)
      expect(await misfits(spec, there)).toEqual(['cookbook chef/Berksfile changed since it was locked'])
      await put(name, before)
    }
  })
})
