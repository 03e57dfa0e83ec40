import { mkdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import type { LockedDebRepository } from '../../../actions/lib/lock/lock.ts'
import { type MirrorServer, serveTree } from '../../../actions/lib/mirror/serve.ts'
import { asRoot } from '../../../actions/lib/process/as-root.ts'
import { debianKeyring } from '../../../actions/lib/spec/mirror/words.ts'
import { proveIndexes, provePackages } from '../../../actions/mirror-deps/deb/chain.ts'
import { resolveDebs, wantedOfRepository } from '../../../actions/mirror-deps/deb/source.ts'
import { fetchAll } from '../../../actions/mirror-deps/fetch/fetch.ts'
import { mirrorKey } from '../../../actions/mirror-deps/mirror-key.ts'
import { sharedStore } from '../../../actions/mirror-deps/paths.ts'
import { writeDebTrees } from '../../../actions/mirror-deps/tree.ts'
import { scratch } from './folder.ts'
import { Lines } from './lines.ts'

jest.setTimeout(240_000)
const folder = await scratch()
const signal = new AbortController().signal
const store = join(folder, 'store')
const tree = join(folder, 'tree')
let repositories: LockedDebRepository[] = []
let server: MirrorServer

// Debian itself, from two archives: what cannot be made small enough by hand to be a system.
beforeAll(async () => {
  const from = (name: string, uri: string, suite: string) => ({
    name,
    uri,
    suites: [suite],
    components: ['main'],
    signedBy: debianKeyring,
  })
  const sources = [
    from('debian', 'https://deb.debian.org/debian', 'bookworm'),
    from('security', 'https://deb.debian.org/debian-security', 'bookworm-security'),
  ]
  repositories = await resolveDebs(sources, ['apt'], { directory: join(folder, 'apt'), store, signal })
  await fetchAll(repositories.flatMap(wantedOfRepository), {
    store,
    sharedStore: sharedStore(process.env),
    log: new Lines(),
    signal,
    verify: false,
  })
  const key = await mirrorKey(join(folder, 'key'))
  const paths = { store } as Parameters<typeof writeDebTrees>[2]
  await writeDebTrees(repositories, tree, paths, key, { signal })
  server = await serveTree(tree, '127.0.0.1', 0)
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await asRoot('rm', ['-rf', join(folder, 'mmdebstrap'), join(folder, 'debootstrap')], {})
})

describe('the mirror of Debian', () => {
  test('bootstraps with mmdebstrap', async () => {
    const root = join(folder, 'mmdebstrap')
    const options = ['--quiet', '--mode=root', '--variant=apt', '--dpkgopt=force-unsafe-io']
    const line = `deb [signed-by=${join(tree, 'appliance-mirror.gpg')}] ${server.url} appliance main`
    await asRoot('mmdebstrap', [...options, 'appliance', root, line], { signal })
    const status = await readFile(join(root, 'var/lib/dpkg/status'), 'utf8')
    expect(status.match(/^Status: install ok installed$/gm)).toHaveLength(packageCount())
  })

  test('bootstraps with debootstrap, which asks one address for packages of all repositories', async () => {
    const root = join(folder, 'debootstrap')
    await mkdir(root)
    const keyring = `--keyring=${join(tree, 'appliance-mirror.gpg')}`
    // The second half runs the packages' scripts, as mmdebstrap did.
    const names = repositories.flatMap(({ packages }) => packages.map(({ name }) => name))
    const include = `--include=${[...new Set(names)].join(',')}`
    const options = ['--foreign', '--variant=minbase', '--force-check-gpg', keyring, include]
    const script = '/usr/share/debootstrap/scripts/bookworm'
    await asRoot('debootstrap', [...options, 'appliance', root, server.url, script], { signal })
    expect((await stat(join(root, 'usr/bin/dpkg'))).isFile()).toBe(true)
    const paths = await readFile(join(root, 'debootstrap/debpaths'), 'utf8')
    expect(new Set(paths.match(/^\S+/gm))).toEqual(new Set(names))
  })

  test('is proved from Debian’s own signatures', async () => {
    for (const repository of repositories) {
      const directory = join(folder, 'chain', repository.name)
      const chain = await proveIndexes(repository, { store, directory, keyring: '/none', signal })
      expect(chain).toMatchObject({ faults: [], missing: [] })
      expect(await provePackages(repository, chain, signal)).toEqual([])
    }
  })
})

function packageCount(): number {
  return repositories.flatMap(({ packages }) => packages).length
}
