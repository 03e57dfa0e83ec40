import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { node24 } from '../dist/emulator/step.ts'
import { command } from '../fixtures/command.ts'

// The README's "From nothing to an imported OVA", as it stands there. Ten minutes of emulated machines.
const full = process.env.APPLIANCE_TESTS === 'full' ? test : test.skip

full('what appliance init writes is built, from its first lock to an OVA that verifies', async () => {
  const folder = await mkdtemp('/var/tmp/appliance-newcomer-')
  const appliance = command({ node: node24 })
  const here = ['--working-directory', folder]
  const well = { status: 0, output: expect.any(String) }
  try {
    expect(await appliance('init', ...here)).toEqual(well)
    expect(await appliance('check', ...here)).toEqual(well)
    expect(await appliance('build', ...here)).toEqual(well)
    const ova = join(folder, 'build/ova-pack/minimal-0.1.0.ova')
    expect(await appliance('verify', ova)).toEqual(well)
    expect(await appliance('lint', ova)).toEqual(well)
    expect(await appliance('build', ...here)).toEqual({
      status: 0,
      output: expect.stringMatching(/ova-pack +up to date/),
    })
  } finally {
    await rm(folder, { recursive: true })
  }
})
