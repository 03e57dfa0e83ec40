import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, describe, expect, jest, test } from '@jest/globals'
import type { LockedRpmRepository } from '../../../actions/lib/lock/lock.ts'
import { rpmStanzas } from '../../../actions/lib/mirror/rpm-stanza.ts'
import { serveTree } from '../../../actions/lib/mirror/serve.ts'
import { run } from '../../../actions/lib/process/command.ts'
import type { FetchOptions } from '../../../actions/mirror-deps/fetch/fetch.ts'
import { fetchAll } from '../../../actions/mirror-deps/fetch/fetch.ts'
import { lockRpms } from '../../../actions/mirror-deps/rpm/lock.ts'
import { wantedOfRpmRepository } from '../../../actions/mirror-deps/rpm/source.ts'
import { writeRpmRepository } from '../../../actions/mirror-deps/rpm/tree.ts'
import type { RpmEntry } from '../../../actions/mirror-deps/rpm/upstream.ts'
import { contentsOf } from './archive.ts'
import { scratch } from './folder.ts'
import { hostPrograms } from './host-rpm.ts'
import { Lines } from './lines.ts'
import { endAgents, publishRpms, type Rpm, signingKey, tamper } from './rpm-upstream.ts'

jest.setTimeout(120_000)
const folder = await scratch()
const signal = new AbortController().signal
const root = hostPrograms(join(folder, 'root'))
const upstream = join(folder, 'upstream')
const store = join(folder, 'store')
await mkdir(upstream)
const key = await signingKey(folder, 'base')
const otherKey = await signingKey(folder, 'other')
afterAll(() => endAgents(key, otherKey))

const base: Rpm[] = [
  {
    name: 'base-release',
    version: '9.4-1',
    lines: ['Provides: system-release = 9.4', 'Provides: base-module(platform:el9)'],
  },
  {
    name: 'shell',
    version: '5.1-2',
    license: 'GPL-3.0-or-later',
    lines: ['Requires: base-release', 'Recommends: shell-help'],
  },
  { name: 'shell-help', version: '5.1-2' },
  { name: 'less', version: '1:590-1' },
  { name: 'unused', version: '1-1' },
  { name: 'oldname', version: '1-1' },
  { name: 'newname', version: '2-1', lines: ['Obsoletes: oldname < 2', 'Provides: oldname = 2'] },
]
const app: Rpm[] = [
  {
    name: 'web',
    version: '2.0-1',
    lines: [
      'Requires: shell, lang',
      'Requires: (tls-old or tls-new)',
      'Requires: (web-lang if lang)',
      'Requires: (web-x11 if x11)',
      'Requires: /usr/share/data/version',
    ],
  },
  { name: 'lang', version: '1-1' },
  { name: 'web-lang', version: '2.0-1', lines: ['Recommends: lang-extra'] },
  { name: 'lang-extra', version: '1-1' },
  { name: 'web-x11', version: '2.0-1' },
  { name: 'x11', version: '1-1' },
  { name: 'tls-new', version: '3-1' },
  { name: 'data', version: '1-1' },
  { name: 'broken', version: '1-1', lines: ['Requires: nowhere >= 4'] },
  { name: 'node', version: '18.1-1', lines: ['ModularityLabel: node:18:1:aaaa'] },
  { name: 'node', version: '20.1-1', lines: ['ModularityLabel: node:20:1:aaaa'] },
]

const group = (
  id: string,
  packages: string[],
) => `<group><id>${id}</id><name>${id}</name><description/><default>false</default><uservisible>true</uservisible>
 <packagelist>${packages.map((name) => `<packagereq type="mandatory">${name}</packagereq>`).join('')}</packagelist></group>`
const comps = `<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE comps PUBLIC "-//Red Hat, Inc.//DTD Comps info//EN" "comps.dtd">
<comps>${group('core', ['shell', 'less'])}${group('desktop', ['x11'])}</comps>`

const stream = (version: string) => `---
document: modulemd
version: 2
data:
  name: node
  stream: "${version}"
  version: 1
  context: aaaa
  arch: x86_64
  summary: Node
  description: Node
  license: { module: [MIT], content: [MIT] }
  dependencies:
    - requires: { platform: [el9] }
  profiles: { common: { rpms: [node] } }
  artifacts:
    rpms: [node-0:${version}.1-1.noarch]
...
`
const modules = `${stream('18')}${stream('20')}---
document: modulemd-defaults
version: 1
data: { module: node, stream: "20", profiles: { "18": [common], "20": [common] } }
...
`

await publishRpms(join(upstream, 'base'), base, key, { comps, signed: true })
await publishRpms(join(upstream, 'app'), app, otherKey, { modules, createrepo: ['--checksum', 'sha512'] })
const server = await serveTree(upstream, '127.0.0.1', 0)
afterAll(async () => await server[Symbol.asyncDispose]())

const entry = (name: string, more: Partial<RpmEntry> = {}): RpmEntry => ({
  name,
  baseurl: `${server.url}/${name}/`,
  gpgkey: (name === 'app' ? otherKey : key).file,
  packages: [],
  groups: [],
  modules: [],
  weak: false,
  ...more,
})

const fetching = (): FetchOptions => ({
  store,
  sharedStore: undefined,
  log: new Lines(),
  signal,
  verify: false,
})

async function lock(entries: RpmEntry[], before?: LockedRpmRepository[], stays: string[] = []) {
  await mkdir(join(folder, 'locking'), { recursive: true })
  return await lockRpms(entries, {
    root,
    fetching: fetching(),
    directory: join(folder, 'locking'),
    before,
    kept: (name) => (stays.includes(name) ? before?.find((one) => one.name === name) : undefined),
  })
}

const names = (locked: LockedRpmRepository[]) =>
  locked.flatMap(({ packages }) => packages.map(({ name, version }) => `${name}-${version}`)).sort()

describe('resolving, by dnf', () => {
  test('one transaction over all repositories, with rich dependencies, groups, obsoletes and a module stream', async () => {
    const locked = await lock([
      entry('base', { groups: ['core'], packages: ['oldname'], releasever: '9' }),
      entry('app', { packages: ['web', 'node'], modules: ['node:18'] }),
    ])
    expect(names(locked)).toEqual([
      'base-release-9.4-1',
      'data-1-1',
      'lang-1-1',
      'less-1:590-1',
      'newname-2-1',
      'node-18.1-1',
      'shell-5.1-2',
      'tls-new-3-1',
      'web-2.0-1',
      'web-lang-2.0-1',
    ])
    expect(locked).toMatchObject([
      { groups: ['core'], modules: [], timestamp: '20261118T110640Z' },
      { groups: [], modules: ['node:18'], mirrors: [] },
    ])
    expect(locked[0]!.packages.find(({ name }) => name === 'shell')).toMatchObject({
      license: 'GPL-3.0-or-later',
      arch: 'noarch',
      path: 'Packages/shell-5.1-2.noarch.rpm',
    })
    expect(locked[0]!.evidence.map(({ path }) => path).filter((path) => !/-/.test(path))).toEqual([
      'repodata/repomd.xml',
      'repodata/repomd.xml.asc',
    ])
  })
})

/** What dnf, given only the stanzas, installs into an empty root: for real, with the packages' signatures checked. */
async function install(name: string, url: string, locked: LockedRpmRepository[], packages: string[]) {
  const home = join(folder, name)
  await mkdir(join(home, 'repos.d'), { recursive: true })
  await writeFile(join(home, 'repos.d/appliance.repo'), rpmStanzas(locked, url))
  await writeFile(join(home, '.rpmmacros'), '%_dbpath /var/lib/rpm\n')
  const main = `[main]\nreposdir=${home}/repos.d\ncachedir=${home}/cache\nlogdir=${home}/log\npersistdir=${home}/state\nplugins=0\nmodule_platform_id=platform:el9\n`
  await writeFile(join(home, 'dnf.conf'), main)
  const args = ['-c', join(home, 'dnf.conf'), '--installroot', join(home, 'root'), '--releasever', '9', '-y']
  const env = { HOME: home, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }
  const done = await run('/usr/bin/dnf', [...args, 'install', ...packages], { env, allowFailure: true })
  const shares = await readdir(join(home, 'root/usr/share')).catch(() => [])
  return { ...done, shares: shares.sort() }
}

describe('the repository that is written', () => {
  const tree = join(folder, 'tree')
  const entries = [
    entry('base', { groups: ['core'], packages: ['oldname'] }),
    entry('app', { packages: ['web', 'node'], modules: ['node:18'] }),
  ]

  test('installs by dnf as it is into an empty root, with signatures checked, and has nothing else', async () => {
    const locked = await lock(entries)
    await fetchAll(
      locked.flatMap((one) => wantedOfRpmRepository(one, entries)),
      fetching(),
    )
    for (const one of locked)
      await writeRpmRepository(one, join(tree, 'rpm', one.name), { store, root, signal })
    await using mirror = await serveTree(tree, '127.0.0.1', 0)
    const done = await install('guest', mirror.url, locked, ['@core', 'web', 'node', 'oldname'])
    expect(done.stdout + done.stderr).toContain('Complete!')
    expect(done.shares).toEqual([
      'base-release',
      'data',
      'lang',
      'less',
      'newname',
      'node',
      'shell',
      'tls-new',
      'web',
      'web-lang',
    ])
    expect(await readFile(join(folder, 'guest/root/usr/share/node/version'), 'utf8')).toBe('18.1-1\n')
    expect([...mirror.missed.keys()]).toEqual([])
    const lacks = await install('guest', mirror.url, locked, ['unused'])
    expect(lacks.stdout + lacks.stderr).toContain('No match for argument: unused')
    const group = await install('guest', mirror.url, locked, ['@desktop'])
    expect(group.stdout + group.stderr).toContain("Module or Group 'desktop' is not available")
  })
})
