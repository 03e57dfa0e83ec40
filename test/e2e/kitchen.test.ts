import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { run } from '../../actions/lib/process/command.ts'
import { buildExample, exampleFolder } from '../fixtures/example.ts'

/** Chef on an emulated machine takes minutes. */
if (process.env.APPLIANCE_TESTS !== 'full')
  test.skip('skipped, because it takes long: script/test full', () => {})
else
  describe('test-kitchen, by the example’s .kitchen.yml', () => {
    let gems: string
    const kitchen = async (action: string) => {
      const { status, stdout, stderr } = await run(join(gems, 'bin/kitchen'), [action], {
        cwd: exampleFolder,
        env: {
          GEM_HOME: gems,
          GEM_PATH: undefined,
          RUBYOPT: undefined,
          APPLIANCE: resolve('script/appliance'),
        },
        allowFailure: true,
        onOutput: (text) => process.stderr.write(text),
      })
      return { status, output: stdout + stderr }
    }
    beforeAll(async () => {
      await buildExample('veewee-basebox')
      await cp('examples/license-server/.kitchen.yml', join(exampleFolder, '.kitchen.yml'))
      gems = await mkdtemp(join(tmpdir(), 'appliance-kitchen-'))
      await run('gem', ['install', '--quiet', '--no-document', 'test-kitchen', '-v', '3.9.1'], {
        env: { GEM_HOME: gems, GEM_PATH: undefined, RUBYOPT: undefined },
      })
    })
    afterAll(async () => {
      await kitchen('destroy')
      await rm(gems, { recursive: true, force: true })
      await rm(join(exampleFolder, '.kitchen'), { recursive: true, force: true })
    })

    test('converges the example’s cookbooks on its base machine, twice, and verifies', async () => {
      const first = await kitchen('converge')
      expect(first.output).toMatch(/Finished converging <license-server-basebox>/)
      expect(first.status).toBe(0)
      const again = await kitchen('converge')
      expect(again.output).toMatch(/Infra Phase complete, \d+\/\d+ resources updated/)
      expect(again.status).toBe(0)
      expect((await kitchen('verify')).status).toBe(0)
      expect((await kitchen('destroy')).output).toMatch(/Finished destroying/)
    })
  })
