import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { describeLockChanges, readLock, writeLock } from '../../../actions/lib/lock/file.ts'
import type { Lock, LockedDeb } from '../../../actions/lib/lock/lock.ts'

const digest = 'ab'.repeat(32)
const deb = (name: string, version: string): LockedDeb => ({
  name,
  version,
  arch: 'amd64',
  path: `pool/main/${name}_${version}_amd64.deb`,
  sha256: digest,
  size: 10,
})

const lock = (...packages: LockedDeb[]): Lock => ({
  schema: 1,
  arch: 'amd64',
  for: digest,
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
  gem: [],
  git: [],
  file: [],
  tools: { deb: [], gem: [] },
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
  ['no JSON', (text: string) => text.slice(0, -5), 'is damaged'],
  ['a digest of the wrong length', (text: string) => text.replace(digest, 'abcd'), 'is damaged: for:'],
  [
    'a path that leads out of the mirror',
    (text: string) => text.replace('pool/main/', '../../'),
    'is damaged: deb.0.packages.0.path',
  ],
])('a lock with %s is refused, with the place', async (_, damage, expected) => {
  await writeLock(path, lock(deb('nginx', '1')))
  await writeFile(path, damage(await readFile(path, 'utf8')))
  await expect(readLock(path)).rejects.toMatchObject({
    code: 'input',
    message: expect.stringContaining(expected),
  })
})

test('changes are a line each', () => {
  const before = lock(deb('nginx', '1'), deb('bash', '5'))
  const after = lock(deb('nginx', '2'), deb('curl', '8'))
  expect(describeLockChanges(before, after)).toEqual([
    'deb nginx 1 → 2',
    'added deb curl 8',
    'removed deb bash 5',
  ])
})
