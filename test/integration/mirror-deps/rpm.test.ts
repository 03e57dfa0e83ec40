import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, describe, expect, jest, test } from '@jest/globals'
import { sha256 } from '../../../actions/lib/files/digest.ts'
import type { LockedRpmRepository } from '../../../actions/lib/lock/lock.ts'
import { mirrorAccess } from '../../../actions/lib/mirror/guest-access.ts'
import { leaveDnfFiles } from '../../../actions/lib/mirror/guest-dnf.ts'
import { rpmStanzas } from '../../../actions/lib/mirror/rpm-stanza.ts'
import { serveTree } from '../../../actions/lib/mirror/serve.ts'
import { run } from '../../../actions/lib/process/command.ts'
import type { FetchOptions } from '../../../actions/mirror-deps/fetch/fetch.ts'
import { fetchAll } from '../../../actions/mirror-deps/fetch/fetch.ts'
import { lockRpms } from '../../../actions/mirror-deps/rpm/lock.ts'
import { proveRpmChain, proveRpmClosure } from '../../../actions/mirror-deps/rpm/proof.ts'
import { wantedOfRpmRepository } from '../../../actions/mirror-deps/rpm/source.ts'
import { writeRpmRepository } from '../../../actions/mirror-deps/rpm/tree.ts'
import type { RpmEntry } from '../../../actions/mirror-deps/rpm/upstream.ts'
import { lockOf } from '../../fixtures/lock.ts'
import { contentsOf } from './archive.ts'
import { scratch } from './folder.ts'
import { hostPrograms } from './host-rpm.ts'
import { Lines } from './lines.ts'
import {
  type Extras,
  endAgents,
  fileName,
  publishRpms,
  type Rpm,
  signingKey,
  tamper,
} from './rpm-upstream.ts'
import { bytes, upstream } from './upstream.ts'

jest.setTimeout(120_000)
const folder = await scratch()
const signal = new AbortController().signal
const root = hostPrograms(join(folder, 'root'))
const served = join(folder, 'upstream')
const store = join(folder, 'store')
await mkdir(served)
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
  { name: 'compat', version: '1-1', arch: 'i686', lines: ['Requires: data'] },
  { name: 'broken', version: '1-1', lines: ['Requires: nowhere >= 4'] },
  { name: 'node', version: '18.1-1', lines: ['ModularityLabel: node:18:1:aaaa'] },
  { name: 'node', version: '20.1-1', lines: ['ModularityLabel: node:20:1:aaaa'] },
]

const needs = (name: string, attributes = 'type="mandatory"') =>
  `<packagereq ${attributes}>${name}</packagereq>`
const group = (id: string, ...requirements: string[]) =>
  `<group><id>${id}</id><name>The ${id}</name><description>d</description><default>false</default>
  <uservisible>true</uservisible><packagelist>${requirements.join('')}</packagelist></group>`
const core = group(
  'core',
  needs('shell'),
  needs('less', 'type="default"'),
  needs('unused', 'type="optional"'),
  needs('shell-help', 'type="conditional" requires="x11"'),
  needs('unused', 'type="mandatory" arch="ppc64le"'),
  needs('nobody-has-it'),
)
const comps = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE comps PUBLIC "-//Red Hat, Inc.//DTD Comps info//EN" "comps.dtd">
<comps>${core}${group('desktop', needs('x11'))}
<environment><id>minimal</id><name>Minimal</name><description>d</description><display_order>3</display_order>
<grouplist><groupid>core</groupid></grouplist><optionlist><groupid>desktop</groupid></optionlist></environment></comps>`

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

await publishRpms(join(served, 'base'), base, key, { comps, signed: true })
await publishRpms(join(served, 'app'), app, otherKey, { modules, createrepo: ['--checksum', 'sha512'] })
const server = await serveTree(served, '127.0.0.1', 0)
afterAll(async () => await server[Symbol.asyncDispose]())

const metalink = (digest: string) => `<?xml version="1.0" encoding="utf-8"?>
<metalink version="3.0" xmlns="http://www.metalinker.org/" xmlns:mm0="http://fedorahosted.org/mirrormanager">
 <files><file name="repomd.xml"><size>1</size>
  <verification><hash type="md5">00</hash><hash type="sha256">${digest}</hash></verification>
  <resources maxconnections="1">
   <url protocol="http" type="http" location="DE" preference="90">${server.url}/app/repodata/repomd.xml</url>
   <url protocol="rsync" type="rsync" location="DE" preference="99">rsync://none/app/repodata/repomd.xml</url>
   <url protocol="http" type="http" location="DE" preference="100">${server.url}/nowhere/repodata/repomd.xml</url>
  </resources></file></files></metalink>`

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
      entry('base', { groups: ['minimal'], packages: ['oldname'], releasever: '9' }),
      entry('app', { packages: ['web', 'node', 'compat.i686'], modules: ['node:18'] }),
    ])
    expect(names(locked)).toEqual([
      'base-release-9.4-1',
      'compat-1-1',
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
      { groups: ['core', 'minimal'], modules: [], timestamp: '20261118T110640Z' },
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

  test('recommended packages come only from sources that want them', async () => {
    const locked = await lock([
      entry('base', { weak: true, packages: ['shell'] }),
      entry('app', { packages: ['web'] }),
    ])
    expect(names(locked)).toContain('shell-help-5.1-2')
    expect(names(locked)).not.toContain('lang-extra-1-1')
  })

  test('mirrorlist and Metalink: the first that answers, the others for later; variables are filled in', async () => {
    await using lists = await upstream({
      '/list?release=9&arch=x86_64': bytes(
        `# a comment\n${server.url}/nowhere/\n${server.url}/base\n${server.url}/./base/\n`,
      ),
      '/metalink': bytes(metalink(sha256(await readFile(join(served, 'app/repodata/repomd.xml'))))),
      '/stale': bytes(metalink('0'.repeat(64))),
      '/bad': bytes('# Bad arch or repo\n'),
    })
    const lists9 = { baseurl: undefined, releasever: '9' }
    const locked = await lock([
      entry('base', {
        ...lists9,
        packages: ['shell'],
        mirrorlist: `${lists.url}/list?release=$releasever&arch=\${basearch}`,
      }),
      entry('app', { ...lists9, packages: ['lang'], metalink: `${lists.url}/metalink` }),
    ])
    expect(locked).toMatchObject([
      {
        baseurl: `${server.url}/base/`,
        mirrors: [`${server.url}/nowhere/`, `${server.url}/./base/`],
        mirrorlist: expect.stringContaining('$releasever'),
      },
      { baseurl: `${server.url}/app/`, mirrors: [`${server.url}/nowhere/`] },
    ])
    const bad = (metalink: string) =>
      lock([entry('app', { ...lists9, metalink: `${lists.url}${metalink}`, packages: ['lang'] })])
    await expect(bad('/stale')).rejects.toMatchObject({
      message: expect.stringMatching(
        /gives other bytes than upstream.s index promises.*nor has the other mirror it/,
      ),
    })
    await expect(bad('/bad')).rejects.toMatchObject({ message: expect.stringContaining('cannot be read') })
    const mirrorlist = `${lists.url}/bad`
    await expect(lock([entry('app', { ...lists9, mirrorlist, packages: ['lang'] })])).rejects.toMatchObject({
      code: 'gone',
      message: expect.stringContaining('names no mirror: # Bad arch or repo'),
      hint: expect.stringContaining('releasever, 9'),
    })
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
    entry('base', { groups: ['minimal'], packages: ['oldname'] }),
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
    const done = await install('guest', mirror.url, locked, ['@minimal', 'web', 'node', 'oldname'])
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

  test('is the same, byte for byte, each time', async () => {
    const locked = await lock(entries)
    for (const name of ['one', 'two'])
      for (const one of locked)
        await writeRpmRepository(one, join(folder, name, one.name), { store, root, signal })
    expect(await contentsOf(join(folder, 'one'))).toEqual(await contentsOf(join(folder, 'two')))
  })
})

describe('what is refused', () => {
  let count = 0
  /** A repository of these packages alone, at its own address. */
  async function alone(rpms: Rpm[], extras: Extras = {}) {
    const name = `alone${++count}`
    await publishRpms(join(served, name), rpms, key, extras)
    return name
  }
  const lang: Rpm = { name: 'lang', version: '7-1' }

  test('no solution, in dnf’s words and with the source', async () => {
    await expect(
      lock([entry('base', { packages: ['shell'] }), entry('app', { packages: ['broken'] })]),
    ).rejects.toMatchObject({
      code: 'unsatisfiable',
      message: expect.stringMatching(/^rpm app: .*nothing provides nowhere >= 4 needed by broken-1-1.noarch/),
    })
    const wrong = entry('base', { packages: ['shell', 'nosuch'], groups: ['nogroup'] })
    await expect(lock([wrong, entry('app', { modules: ['node:99'] })])).rejects.toMatchObject({
      code: 'unsatisfiable',
      message: expect.stringMatching(/^rpm app: .*node:99/),
    })
    await expect(lock([wrong])).rejects.toMatchObject({
      code: 'unsatisfiable',
      message: expect.stringMatching(/^rpm base: .*nosuch\nrpm base: .*nogroup/),
    })
  })

  test('a module stream, where no repository tells the platform it is for', async () => {
    const app = entry('app', { packages: ['node'], modules: ['node:18'] })
    await expect(lock([app])).rejects.toMatchObject({
      code: 'unsatisfiable',
      message: expect.stringMatching(/^rpm app: .*nothing provides module\(platform:el9\)/),
      hint: expect.stringContaining('the repository of the base system'),
    })
  })

  test('unsigned packages and those of another key, all by name', async () => {
    const name = await alone([
      { ...lang, key: false },
      { ...lang, name: 'other', key: otherKey },
      { ...lang, name: 'good' },
    ])
    const error = await lock([entry(name, { packages: ['lang', 'other', 'good'] })]).catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'digest-mismatch' })
    expect(error.message.split('\n')).toEqual([
      `rpm ${name}: lang 7-1 noarch is not signed; RPM-GPG-KEY-base is to sign it`,
      expect.stringMatching(
        `^rpm ${name}: other 7-1 noarch is signed by another key than RPM-GPG-KEY-base: .*NOKEY$`,
      ),
    ])
  })

  test('a package that was changed, although the index says that it is right', async () => {
    const name = await alone([lang])
    await tamper(join(served, name, 'Packages', fileName(lang)))
    await publishRpms(join(served, name), [lang], key)
    await expect(lock([entry(name, { packages: ['lang'] })])).rejects.toMatchObject({
      code: 'digest-mismatch',
      message: expect.stringMatching(
        `^rpm ${name}: lang 7-1 noarch is damaged: .*Payload SHA256 digest: BAD`,
      ),
    })
  })

  test('a package with other bytes than the index promises, whichever digest that has', async () => {
    for (const createrepo of [[], ['--checksum', 'sha512']]) {
      const name = await alone([lang], { createrepo })
      await tamper(join(served, name, 'Packages', fileName(lang)))
      await expect(lock([entry(name, { packages: ['lang'] })])).rejects.toMatchObject({
        code: 'digest-mismatch',
        message: expect.stringMatching(`rpm lang 7-1 noarch of ${name}: .*gives other bytes`),
      })
    }
  })

  test('an index that another key signed, or that was changed, or that is signed no longer', async () => {
    const name = await alone([lang], { signed: true })
    const wanted = entry(name, { packages: ['lang'] })
    const before = await lock([wanted])
    await expect(lock([{ ...wanted, gpgkey: otherKey.file }])).rejects.toMatchObject({
      code: 'digest-mismatch',
      message: expect.stringMatching(
        `^rpm ${name}: its index .* is not rightly signed: .*not among the keys`,
      ),
    })
    const index = join(served, name, 'repodata/repomd.xml')
    await writeFile(index, `${await readFile(index, 'utf8')} `)
    await expect(lock([wanted])).rejects.toMatchObject({
      code: 'digest-mismatch',
      message: expect.stringMatching(`^rpm ${name}: its index .*somebody changed them`),
    })
    await rm(`${index}.asc`)
    await expect(lock([wanted], before)).rejects.toMatchObject({
      code: 'digest-mismatch',
      message: `rpm ${name}: its index was signed when it was locked, and is not any more`,
    })
  })

  test('what is no repository', async () => {
    await using wrong = await upstream({ '/repodata/repomd.xml': bytes('<html>Please log in</html>') })
    await expect(lock([entry('base', { baseurl: wrong.url })])).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringMatching(/^rpm base: .*repomd.xml cannot be read: /),
    })
    await expect(lock([entry('base', { baseurl: `${server.url}/nowhere` })])).rejects.toMatchObject({
      code: 'gone',
      message: expect.stringMatching(/^repodata\/repomd.xml of rpm base .*nowhere/),
    })
  })
})

describe('--update', () => {
  test('moves the source it names; the others are solved with the index they were locked with', async () => {
    const libs = (version: string): Rpm[] => ['libs', 'fresh'].map((name) => ({ name, version }))
    const tool = (version: string, needs: string): Rpm => ({
      name: 'tool',
      version,
      lines: [`Requires: ${needs}`],
    })
    const publish = async (rpms: Rpm[], tools: Rpm[]) => {
      await publishRpms(join(served, 'stable'), rpms, key)
      await publishRpms(join(served, 'moving'), tools, key)
    }
    await publish(libs('1-1'), [tool('1-1', 'libs')])
    const entries = [entry('stable'), entry('moving', { packages: ['tool'] })]
    const before = await lock(entries)
    await publish([...libs('1-1'), ...libs('2-1')], [tool('2-1', 'libs, fresh')])
    const after = await lock(entries, before, ['stable'])
    expect(names(before)).toEqual(['libs-1-1', 'tool-1-1'])
    expect(names(after)).toEqual(['fresh-1-1', 'libs-1-1', 'tool-2-1'])
    expect(after[0]!.evidence).toEqual(before[0]!.evidence)
    expect(names(await lock(entries, after))).toEqual(['fresh-2-1', 'libs-2-1', 'tool-2-1'])
  })
})

describe('the proof', () => {
  const entries = [
    entry('base', { groups: ['core'] }),
    entry('app', { packages: ['web', 'node'], modules: ['node:18'] }),
  ]
  const tree = join(folder, 'proved')
  const said: string[] = []
  const proof = {
    store,
    tree,
    root,
    signal,
    info: (line: string) => void said.push(line),
    warn: (line: string) => void said.push(line),
  }
  const chain = (one: LockedRpmRepository, gpgkey = entries.find(({ name }) => name === one.name)!.gpgkey) =>
    proveRpmChain(one, gpgkey, proof)

  test('key → index → package, and that all of it installs from the tree alone', async () => {
    const locked = await lock(entries)
    for (const one of locked) {
      await writeRpmRepository(one, join(tree, 'rpm', one.name), { store, root, signal })
      expect(await chain(one)).toEqual([])
    }
    expect(said).toEqual(['rpm app: upstream signs its packages, but not its index'])
    expect(await proveRpmClosure(locked, proof)).toEqual([])
  })

  test('what does not hold', async () => {
    const [base, app] = (await lock(entries)) as [LockedRpmRepository, LockedRpmRepository]
    expect(await chain(base, otherKey.file)).toEqual([
      'rpm base: gpgkey: is another key than the one that was locked, keys/RPM-GPG-KEY-base',
    ])
    // Packages that another key signed, smuggled into the lock together with their digests.
    const smuggled = { ...base, packages: [...base.packages, app.packages[0]!] }
    expect(await chain(smuggled)).toEqual([
      `rpm base: ${app.packages[0]!.name} ${app.packages[0]!.version} noarch is not in the index that was locked`,
      expect.stringMatching(/is signed by another key than RPM-GPG-KEY-base: .*NOKEY$/),
    ])
    const swapped = base.packages.map((one, index) => ({
      ...one,
      sha256: base.packages[(index + 1) % 3]!.sha256,
    }))
    expect((await chain({ ...base, packages: swapped })).sort()).toEqual(
      base.packages.map(
        ({ name, version }) => `rpm base: ${name} ${version} noarch has other bytes than its index promises`,
      ),
    )
    const lacking = { ...app, packages: app.packages.filter(({ name }) => name !== 'tls-new') }
    const elsewhere = join(folder, 'lacking')
    for (const one of [base, lacking])
      await writeRpmRepository(one, join(elsewhere, 'rpm', one.name), { store, root, signal })
    expect(await proveRpmClosure([base, lacking], { ...proof, tree: elsewhere })).toEqual([
      expect.stringMatching(
        /^rpm base, app: they do not install into an empty root: .*nothing provides \(tls-old or tls-new\)/,
      ),
    ])
  })
})

describe('in the guest', () => {
  test('dnf uses the mirror alone, by its usual configuration file, of which nothing stays', async () => {
    const locked = await lock([entry('base', { packages: ['shell'] })])
    const tree = join(folder, 'for-the-guest')
    for (const one of locked)
      await writeRpmRepository(one, join(tree, 'rpm', one.name), { store, root, signal })
    await using mirror = await serveTree(tree, '127.0.0.1', 0)
    const { files, commands } = mirrorAccess(lockOf({ rpm: locked }), mirror.url)
    const laid = Object.entries(files).map(
      ([path, content]) => `mkdir -p "$(dirname ${path})"; cat >${path} <<'END'\n${content}END\n`,
    )
    // A machine's own /run, /var and dnf: here in a mount namespace, which ends with the shell.
    const script = `set -e
mount -t tmpfs none /run; mount -t tmpfs none /var/tmp; mount -t tmpfs none /var/log
before=$(sha256sum /etc/dnf/dnf.conf)
${laid.join('')}${commands.join('\n')}
dnf -q --releasever 9 repoquery --qf '%{repoid} %{name}' '*'
${leaveDnfFiles}
test "$before" = "$(sha256sum /etc/dnf/dnf.conf)"
`
    const namespace = ['--user', '--map-root-user', '--mount', '--', 'sh', '-c', script]
    const { stdout } = await run('unshare', namespace, { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } })
    expect(stdout.trim().split('\n').sort()).toEqual(['base base-release', 'base shell'])
  })
})
