import { expect, test } from '@jest/globals'
import type { LockedDebRepository } from '../../../actions/lib/lock/lock.ts'
import { describeContents } from '../../../actions/mirror-deps/contents.ts'
import { lockOf } from '../../fixtures/lock.ts'

const repository = (name: string, ...sizes: number[]): LockedDebRepository => ({
  name,
  uri: '',
  suites: [],
  components: [],
  timestamp: '',
  evidence: [],
  packages: sizes.map((size) => ({
    name: 'a',
    version: '1',
    arch: 'all',
    path: '',
    license: '',
    sha256: '',
    size,
  })),
})

test('a line for each kind there is', () => {
  const lock = lockOf({
    deb: [repository('debian', 2_000_000, 1_500_000), repository('security', 500_000)],
    git: [
      {
        name: 'catalogue',
        url: '',
        ref: '',
        commit: '',
        kind: 'tag',
        objects: '',
        license: '',
        submodules: [],
      },
    ],
    tools: { deb: [repository('tools', 12)], gem: [] },
  })
  expect(describeContents(lock)).toEqual([
    'packages: 3 from debian and security, 4.0 MB',
    'git repositories: catalogue',
    'packages of the build tools: 1 from tools, 12 B',
  ])
})
