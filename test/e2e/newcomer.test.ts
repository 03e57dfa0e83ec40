import { mkdtemp, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { expect, test } from '@jest/globals'
import { run } from '../../actions/lib/process/command.ts'
import { node24 } from '../dist/emulator/step.ts'

// The README's "From nothing to an imported OVA", as it stands there. Ten minutes of emulated machines.
const full = process.env.APPLIANCE_TESTS === 'full' ? test : test.skip

full('what appliance init writes is built, from its first lock to an OVA that verifies', async () => {
  const folder = await mkdtemp('/var/tmp/appliance-newcomer-')
  const appliance = async (...args: string[]) => {
    const { status, stdout, stderr } = await run(node24, [resolve('dist/cli/index.js'), ...args], {
      allowFailure: true,
      onOutput: (text) => process.stderr.write(text),
    })
    return [status, stdout + stderr]
  }
  const here = ['--working-directory', folder]
  const well = [0, expect.any(String)]
  try {
    expect(await appliance('init', ...here)).toEqual(well)
    expect(await appliance('check', ...here)).toEqual(well)
    expect(await appliance('build', ...here)).toEqual(well)
    const ova = join(folder, 'build/ova-pack/minimal-0.1.0.ova')
    expect(await appliance('verify', ova)).toEqual(well)
    expect(await appliance('lint', ova)).toEqual(well)
    expect(await appliance('build', ...here)).toEqual([0, expect.stringMatching(/ova-pack +up to date/)])
  } finally {
    await rm(folder, { recursive: true })
  }
})
