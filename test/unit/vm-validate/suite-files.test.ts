import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { suiteDigest } from '../../../actions/vm-validate/suite-files.ts'

let room: string
let project: string
beforeEach(async () => {
  room = await mkdtemp(join(tmpdir(), 'appliance-suite-files-'))
  project = join(room, 'project')
  await put('tests/one.sh', 'one')
  await put('README.md', 'words')
})
afterEach(() => rm(room, { recursive: true }))

async function put(path: string, content: string) {
  await mkdir(dirname(join(project, path)), { recursive: true })
  await writeFile(join(project, path), content)
}

const digest = (run: string, given: { directory?: string; reports?: string } = {}) =>
  suiteDigest(
    { run, directory: given.directory, reports: given.reports },
    { project, buildDirectory: join(project, 'build') },
  )

async function changes(path: string, run: string, given: { directory?: string; reports?: string } = {}) {
  const before = await digest(run, given)
  await put(path, `changed ${Math.random()}`)
  return (await digest(run, given)) !== before
}

test('without a folder of its own a suite is made of the whole project, but for what the build and the suite write', async () => {
  expect(await changes('tests/one.sh', 'make test')).toBe(true)
  expect(await changes('tests/new/two.sh', 'make test')).toBe(true)
  expect(await changes('README.md', 'make test')).toBe(true)
  expect(await changes('build/disk', 'make test')).toBe(false)
  expect(await changes('.git/index', 'make test')).toBe(false)
  expect(await changes('tests/__pycache__/one.pyc', 'make test')).toBe(false)
  await put('out/b.xml', '')
  expect(await changes('out/a.xml', 'make test')).toBe(true)
  expect(await changes('out/a.xml', 'make test', { reports: 'out/*.xml' })).toBe(false)
})

test('with one it is that folder, and what its command names elsewhere', async () => {
  const directory = join(project, 'tests')
  expect(await changes('tests/one.sh', 'sh one.sh', { directory })).toBe(true)
  expect(await changes('README.md', 'sh one.sh', { directory })).toBe(false)
  expect(await changes('README.md', 'sh one.sh --with="../README.md"', { directory })).toBe(true)
  expect(await changes('../shared/a.rb', 'rspec ../shared', {})).toBe(true)
  expect(await changes('../shared/a.rb', 'rspec ../shared', {})).toBe(true)
})

test('links are followed, also in circles and to nowhere', async () => {
  await put('../shared/helper.rb', 'one')
  await symlink('../../shared', join(project, 'tests/shared'))
  await symlink('..', join(project, 'tests/round'))
  await symlink('nowhere', join(project, 'tests/broken'))
  expect(await changes('../shared/helper.rb', 'rspec tests')).toBe(true)
})
