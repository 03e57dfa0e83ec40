import { describe, expect, test } from '@jest/globals'
import { sha256 } from '../../../actions/lib/files/digest.ts'
import type { Lock, LockedDebRepository, LockedGemSource } from '../../../actions/lib/lock/lock.ts'
import { openToolsRoot, toolsKey } from '../../../actions/lib/tools/root.ts'
import { lockOf } from '../../fixtures/lock.ts'
import { keptLog } from '../../fixtures/machine-room.ts'

const repository = (content: string, more: Partial<LockedDebRepository> = {}): LockedDebRepository => ({
  name: 'debian',
  uri: 'https://deb.debian.org/debian',
  suites: ['trixie'],
  components: ['main'],
  timestamp: '20261101T000000Z',
  evidence: [],
  packages: [
    {
      name: 'ruby',
      version: '1',
      arch: 'amd64',
      path: 'pool/ruby_1_amd64.deb',
      license: 'NOASSERTION',
      sha256: sha256(content),
      size: 1,
    },
  ],
  ...more,
})

const gems = (content: string): LockedGemSource => ({
  name: 'chef',
  source: 'https://rubygems.org/',
  for: 'tools',
  gems: [
    {
      name: 'chef-bin',
      version: '18.4.0',
      platform: 'ruby',
      license: 'NOASSERTION',
      sha256: sha256(content),
      size: 1,
    },
  ],
  git: [],
})

const lock = (deb: LockedDebRepository[], gem: LockedGemSource[], more: Partial<Lock> = {}): Lock =>
  lockOf({
    deb: [],
    ...more,
    tools: { deb, gem },
  })

describe('the key of a tools root', () => {
  const key = toolsKey(lock([repository('ruby')], [gems('chef')]))

  test('changes with the bytes of a package or a gem', () => {
    const others = [
      toolsKey(lock([repository('another ruby')], [gems('chef')])),
      toolsKey(lock([repository('ruby')], [gems('another chef')])),
      toolsKey(lock([repository('ruby')], [])),
    ]
    expect(new Set([key, ...others]).size).toBe(4)
  })

  test('stays when the same bytes come from elsewhere, or later', () => {
    const moved = repository('ruby', { uri: 'https://mirror.example/debian', timestamp: '20281101T000000Z' })
    expect(toolsKey(lock([moved], [gems('chef')]))).toBe(key)
  })

  test('stays whatever the appliance itself is made of: projects share a root', () => {
    const appliance = { deb: [repository('nginx')], gem: [gems('puma')] }
    expect(toolsKey(lock([repository('ruby')], [gems('chef')], appliance))).toBe(key)
  })
})

test.each([
  ['no lock', undefined],
  ['a lock without build tools', lock([], [])],
])('%s is stale, and says which stage to run', async (_, locked) => {
  const opening = openToolsRoot({
    project: { lock: locked, buildDirectory: '/nowhere' } as never,
    log: keptLog(),
    signal: new AbortController().signal,
    timed: (_part, work) => work(),
  })
  await expect(opening).rejects.toMatchObject({
    code: 'stale',
    hint: expect.stringContaining('appliance mirror-deps'),
  })
})
