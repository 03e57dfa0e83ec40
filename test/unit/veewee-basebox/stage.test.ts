import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { sha256 } from '../../../actions/lib/files/digest.ts'
import type { Lock } from '../../../actions/lib/lock/lock.ts'
import { readSpec } from '../../../actions/lib/spec/read.ts'
import type { StageWork } from '../../../actions/lib/stage/stage.ts'
import { earlyConfiguration } from '../../../actions/veewee-basebox/bootstrap/grub.ts'
import { veeweeBasebox } from '../../../actions/veewee-basebox/stage.ts'
import { lockOf } from '../../fixtures/lock.ts'

const appliance = (basebox: string) => `name: license-server
version: 1.4.0
mirror:
  deb:
    - { name: debian, uri: https://deb.debian.org/debian, suites: [bookworm], packages: [nginx-light] }
provision:
  - shell: prepare.sh
basebox: ${basebox}
`

const repository = (name: string, kernel: string) => ({
  name,
  uri: 'https://deb.debian.org/debian',
  suites: ['bookworm'],
  components: ['main'],
  timestamp: '20261101T000000Z',
  evidence: [],
  packages: [
    {
      name: 'linux-image-amd64',
      version: '1',
      arch: 'amd64',
      path: 'pool/linux.deb',
      license: 'NOASSERTION',
      sha256: sha256(kernel),
      size: 1,
    },
  ],
})

const lock = (kernel: string, tools: string): Lock =>
  lockOf({
    deb: [repository('debian', kernel)],
    tools: { deb: [repository('tools', tools)], gem: [] },
  })

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'appliance-base-'))
  await writeFile(join(folder, 'prepare.sh'), 'true\n')
})
afterAll(() => rm(folder, { recursive: true }))

/** The names of what differs from the stage as it is with `bootstrap: { suite: bookworm }`. */
async function differences(basebox: string, locked: Lock | undefined = lock('kernel', 'ruby')) {
  const one = await dependsOn('{ bootstrap: { suite: bookworm } }', lock('kernel', 'ruby'))
  const other = await dependsOn(basebox, locked)
  return [...new Set([...Object.keys(one), ...Object.keys(other)])].filter(
    (name) => one[name] !== other[name],
  )
}

async function dependsOn(
  basebox: string,
  locked: Lock | undefined,
  key?: string,
): Promise<Record<string, string>> {
  const text = appliance(basebox)
  await writeFile(
    join(folder, 'appliance.yml'),
    key ? text.replace('packages:', `signed_by: ${key}, packages:`) : text,
  )
  const spec = await readSpec(join(folder, 'appliance.yml'))
  return await veeweeBasebox.dependsOn({ project: { spec, lock: locked } } as StageWork<Record<never, never>>)
}

describe('the base machine is made again', () => {
  const same = '{ bootstrap: { suite: bookworm } }'
  test.each([
    ['when a package has other bytes', same, lock('another kernel', 'ruby'), ['packages']],
    ['when a build tool has other bytes', same, lock('kernel', 'another ruby'), ['tools']],
    ['for a larger disk', '{ bootstrap: { suite: bookworm }, disk: 20 GiB }', undefined, ['spec.basebox']],
    [
      'for a further package',
      '{ bootstrap: { suite: bookworm, packages: [nano] } }',
      undefined,
      ['spec.basebox'],
    ],
    // What the build machine has says nothing about the disk.
    [
      'for more memory or processors, which its boxes tell',
      `{ bootstrap: { suite: bookworm }, memory: 2 GiB, cpus: 1 }`,
      undefined,
      ['spec.basebox.boxes'],
    ],
  ])('%s', async (_, basebox, locked, changed) => {
    expect(await differences(basebox, locked)).toEqual(changed)
  })

  test('when the keys of a repository are others', async () => {
    const keyed = () => dependsOn('{ bootstrap: { suite: bookworm } }', lock('kernel', 'ruby'), 'vendor.gpg')
    await writeFile(join(folder, 'vendor.gpg'), 'KEY 2025')
    const before = await keyed()
    await writeFile(join(folder, 'vendor.gpg'), 'KEY 2026')
    const { keyrings, ...rest } = await keyed()
    expect(keyrings).not.toBe(before.keyrings)
    expect(rest).toEqual({ ...before, keyrings: undefined })
  })

  test('only once there is a lock', async () => {
    await expect(dependsOn(same, undefined)).rejects.toMatchObject({
      code: 'stale',
      hint: expect.stringContaining('appliance lock'),
    })
  })
})

test('GRUB looks for the root file system, then for its menu there', () => {
  expect(earlyConfiguration('0a0b-1')).toBe(
    'search --no-floppy --fs-uuid --set=root 0a0b-1\nset prefix=($root)/boot/grub\nconfigfile ($root)/boot/grub/grub.cfg\n',
  )
})
