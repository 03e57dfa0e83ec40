import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { sha256 } from '../../../actions/lib/files/digest.ts'
import { run } from '../../../actions/lib/process/command.ts'
import type { Spec } from '../../../actions/lib/spec/spec.ts'
import { inputDigests } from '../../../actions/ova-pack/inputs.ts'
import { rootAccessOf } from '../../../actions/ova-pack/root-access-of.ts'

const PASSWORD = 'tiger'
beforeEach(() => {
  process.env.ROOT_ACCESS_TEST = PASSWORD
})
afterEach(() => void delete process.env.ROOT_ACCESS_TEST)

const spec = (name = 'sample') =>
  ({
    name,
    pack: { root: { password: 'env:ROOT_ACCESS_TEST' }, hardware: { data_disks: [] } },
  }) as unknown as Spec
const signal = new AbortController().signal

async function hashOf(name?: string): Promise<string> {
  const access = await rootAccessOf(spec(name), signal)
  return access?.kind === 'password' ? access.hash : ''
}

/** Milliseconds that the quickest of three took: a busy computer makes none of them shorter. */
async function least(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let turn = 0; turn < 3; turn++) {
    const began = performance.now()
    await work()
    times.push(performance.now() - began)
  }
  return Math.min(...times)
}

test('root’s password hash is the same every time, another for another appliance, and one that crypt(3) knows', async () => {
  const hash = await hashOf()
  expect(await hashOf()).toBe(hash)
  const [, salt] = /^\$6\$([./0-9A-Za-z]{16})\$[./0-9A-Za-z]{86}$/.exec(hash)!
  expect(await hashOf('other')).not.toContain(salt)
  const { stdout } = await run('perl', ['-e', 'print crypt($ARGV[0], $ARGV[1])', PASSWORD, hash])
  expect(stdout).toBe(hash)
})

test('neither salt nor fingerprint is a quicker way to guess the password than its hash', async () => {
  const { root } = await inputDigests(spec())
  const quick = [`sample ${PASSWORD}`, `root ${PASSWORD}`, PASSWORD].map(sha256)
  const hash = await hashOf()
  for (const digest of quick) {
    expect(hash).not.toContain(digest.slice(0, 16))
    expect(root).not.toBe(digest)
  }
  const locked = { ...spec(), pack: { ...spec().pack, root: 'locked' as const } }
  expect(await least(() => inputDigests(spec()))).toBeGreaterThan(
    20 + (await least(() => inputDigests(locked))),
  )
  expect(await least(() => hashOf())).toBeGreaterThan(20)
})
