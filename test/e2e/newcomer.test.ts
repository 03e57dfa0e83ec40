import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { documentedCommands, typed } from '../fixtures/documented.ts'

// The README's "From nothing to an imported OVA", typed as it stands there. Ten minutes of emulated machines.
const full = process.env.APPLIANCE_TESTS === 'full' ? test : test.skip

test('the lines of the README that are not typed here are those that install, and that import', async () => {
  const { before, last } = await quickStart()
  expect(before).toEqual([
    expect.stringMatching(/^git clone /),
    expect.stringMatching(/^appliance\/script\/bootstrap build /),
    expect.stringMatching(/^alias appliance=/),
  ])
  // test/import does that, with every OVA we have.
  expect(last).toMatch(/^VBoxManage import build\/ova-pack\/minimal-0\.1\.0\.ova$/)
})

full('what the README tells to type is built, from its first lock to an OVA that verifies', async () => {
  const folder = await mkdtemp('/var/tmp/appliance-newcomer-')
  try {
    await mkdir(join(folder, 'home'))
    const { commands } = await quickStart()
    const lint = await documentedCommands('docs/lint.md', '`appliance lint`: what hypervisors refuse')
    const again = ['ln build/ova-pack/minimal-0.1.0.ova FILE.ova', ...lint, 'appliance build']
    expect(await typed([...commands, ...again], join(folder, 'home'))).toEqual({
      status: 0,
      output: expect.stringMatching(/ova-pack +up to date/),
    })
  } finally {
    await rm(folder, { recursive: true })
  }
})

async function quickStart() {
  const all = await documentedCommands('README.md', 'From nothing to an imported OVA')
  const first = all.findIndex((line) => line.startsWith('appliance doctor'))
  return { before: all.slice(0, first), commands: all.slice(first, -1), last: all.at(-1) }
}
