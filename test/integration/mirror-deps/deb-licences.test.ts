import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, jest, test } from '@jest/globals'
import type { LockedDebRepository } from '../../../actions/lib/lock/lock.ts'
import { withLicences } from '../../../actions/mirror-deps/deb/licences.ts'
import { resolveDebs, wantedOfRepository } from '../../../actions/mirror-deps/deb/source.ts'
import { fetchAll } from '../../../actions/mirror-deps/fetch/fetch.ts'
import { publish } from './archive.ts'
import { scratch } from './folder.ts'
import { Lines } from './lines.ts'

jest.setTimeout(60_000)
const folder = await scratch()
const signal = new AbortController().signal
const doc = (name: string, text: string) => ({ [`usr/share/doc/${name}/copyright`]: text })
const DEP5 = 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n'

test('a package’s licence is read from it once, also through a link to another package’s', async () => {
  const names = ['stated', 'shared', 'shared-file', 'elsewhere', 'silent']
  const archive = await publish(join(folder, 'debian'), {
    bookworm: [
      { name: 'stated', version: '1', files: doc('stated', `${DEP5}Files: *\nLicense: GPL-2+\n`) },
      { name: 'shared', version: '1', files: { 'usr/share/doc/shared': '-> stated' } },
      { name: 'shared-file', version: '1', files: doc('shared-file', '-> ../stated/copyright') },
      { name: 'elsewhere', version: '1', files: { 'usr/share/doc/elsewhere': '-> not-locked' } },
      { name: 'silent', version: '1' },
    ],
  })
  const source = {
    name: 'debian',
    uri: `file://${archive.root}`,
    suites: ['bookworm'],
    components: ['main'],
    signedBy: archive.keyring,
  }
  const store = join(folder, 'mirror/store')
  const repositories = await resolveDebs([source], names, { directory: join(folder, 'apt'), store, signal })
  await fetchAll(repositories.flatMap(wantedOfRepository), {
    store,
    sharedStore: undefined,
    log: new Lines(),
    signal,
    verify: false,
  })
  const options = { store, directory: join(folder, 'licences'), signal }
  expect(licences(await withLicences(repositories, options))).toEqual({
    stated: 'GPL-2.0-or-later',
    shared: 'GPL-2.0-or-later',
    'shared-file': 'GPL-2.0-or-later',
    elsewhere: 'NOASSERTION',
    silent: 'NOASSERTION',
  })

  await rm(store, { recursive: true })
  expect(licences(await withLicences(repositories, options)).stated).toBe('GPL-2.0-or-later')
  const memory = join(folder, 'mirror/licences.json')
  await writeFile(memory, (await readFile(memory, 'utf8')).slice(0, 50))
  expect(licences(await withLicences(repositories, options)).stated).toBe('NOASSERTION')
})

function licences(repositories: readonly LockedDebRepository[]): Record<string, string> {
  return Object.fromEntries(
    repositories.flatMap(({ packages }) => packages.map(({ name, license }) => [name, license])),
  )
}
