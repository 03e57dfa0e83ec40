import { expect, test } from '@jest/globals'
import { sha256 } from '../../../actions/lib/files/digest.ts'
import type { LockedFile, LockedGit } from '../../../actions/lib/lock/lock.ts'
import { promisedBy } from '../../../actions/lib/lock/promised.ts'
import { lockText } from '../../../actions/lib/lock/text.ts'
import { lockOf } from '../../fixtures/lock.ts'

const file = (name: string, evidence: LockedFile['evidence'] = []): LockedFile => ({
  name,
  url: `https://example.test/${name}`,
  mirrors: [],
  license: 'NOASSERTION',
  sha256: sha256(name),
  size: name.length,
  evidence,
})
const evidenceOf = (name: string) => ({ path: name, sha256: sha256(name), size: name.length })
const git: LockedGit = {
  name: 'r',
  url: 'https://example.test/r.git',
  ref: 'v1',
  kind: 'tag',
  commit: 'a'.repeat(40),
  tag: 'b'.repeat(40),
  objects: sha256('r'),
  license: 'NOASSERTION',
  submodules: [
    { name: 's', path: 's', url: 'https://example.test/s.git', commit: 'c'.repeat(40), objects: sha256('s') },
  ],
}

test('everything that a lock names, wherever, is promised; the archive it may be had from is not part of it', () => {
  const gem = {
    name: 'app',
    source: 'https://example.test/',
    for: 'tools' as const,
    gems: [{ name: 'g', version: '1', platform: 'ruby', license: 'MIT', sha256: sha256('g'), size: 1 }],
    git: [{ ...git, objects: sha256('of a gem') }],
  }
  const lock = lockOf({
    archive: { url: 'https://example.test/m.tar.zst', sha256: sha256('archive'), size: 7 },
    file: [file('one'), file('two', [evidenceOf('sums'), evidenceOf('one')])],
    git: [git],
    tools: { deb: [], gem: [gem] },
  })
  const { objects, packs } = promisedBy(lock)
  expect([...objects.values()]).toEqual([
    { sha256: sha256('one'), size: 3, evidence: false },
    { sha256: sha256('two'), size: 3, evidence: false },
    { sha256: sha256('sums'), size: 4, evidence: true },
    { sha256: sha256('g'), size: 1, evidence: false },
  ])
  expect([...packs]).toEqual([
    [sha256('r'), 'b'.repeat(40)],
    [sha256('s'), 'c'.repeat(40)],
    [sha256('of a gem'), 'b'.repeat(40)],
  ])
})

test('what is evidence of one thing and an artefact of another is an artefact, in whatever order they come', () => {
  const { objects } = promisedBy(lockOf({ file: [file('two', [evidenceOf('one')]), file('one')] }))
  expect(objects.get(sha256('one'))).toMatchObject({ evidence: false })
})

test('the archive is a line of the lock', () => {
  const archive = { url: 'https://example.test/m.tar.zst', size: 7, sha256: sha256('archive') }
  expect(lockText(lockOf({ archive }))).toContain(
    `\n  "archive": { "url": "https://example.test/m.tar.zst", "size": 7, "sha256": "${sha256('archive')}" },\n`,
  )
})
