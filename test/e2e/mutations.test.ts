import { expect, test } from '@jest/globals'
import { run } from '../../actions/lib/process/command.ts'
import { node24 } from '../dist/emulator/step.ts'
import { buildExample, exampleFolder } from '../fixtures/example.ts'

const full = process.env.APPLIANCE_TESTS === 'full'
const where = full ? test : test.skip

/** All of them, and a hundred runs: `script/campaign validate`. */
where(
  'a broken example is noticed by whom it should be, an unbroken one by nobody (script/test full)',
  async () => {
    await buildExample()
    const args = ['--no-warnings', 'script/campaign.d/validate.ts', '--short', '--project', exampleFolder]
    const { stdout } = await run(node24, args, { allowFailure: true })
    expect(stdout.match(/^(caught|MISSED|FALSE ALARM) .*$/gm)).toEqual([
      'caught  a debugging port left open',
      'caught  a secret everybody can read',
      'caught  keys of any form',
    ])
    expect(stdout).toContain('figure campaign.validate.runs 3 runs (goal 3)')
    expect(stdout).toContain('figure campaign.validate.false-alarms 0 times (goal 0)')
  },
)

where.each(['an initramfs for the hardware of the build alone', 'a DHCP lease that sealing leaves'])(
  'the packed example with %s is noticed by whom it should be (script/test full)',
  async (name) => {
    await buildExample()
    const args = [
      '--no-warnings',
      'script/campaign.d/validate.ts',
      '--only',
      name,
      '--project',
      exampleFolder,
    ]
    const { stdout } = await run(node24, args, { allowFailure: true })
    expect(stdout.match(/^(caught|MISSED) .*$/gm)).toEqual([`caught  ${name}`])
  },
)
