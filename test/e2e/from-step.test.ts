import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { beforeAll, describe, expect, test } from '@jest/globals'
import type { ProvisionReport } from '../../actions/chef-provision/report.ts'
import { run } from '../../actions/lib/process/command.ts'
import { command } from '../fixtures/command.ts'
import { buildExample, exampleFolder } from '../fixtures/example.ts'

const folder = resolve('build/e2e/from-step')
const provision = `provision:
  - { shell: { inline: "echo 1 >> /root/steps" }, name: first }
  - { shell: { inline: "echo 2 >> /root/steps" }, name: second }
  - { download: { from: /root/steps, to: steps } }
`

/** Every run boots the example's machine and writes its disk, so this is for script/test full. */
if (process.env.APPLIANCE_TESTS !== 'full')
  test.skip('skipped, because it takes long: script/test full', () => {})
else
  describe('chef-provision although nothing has changed', () => {
    const appliance = command({ folder })
    const stage = join(folder, 'build/chef-provision')
    /** What each step did, and what they have done to the machine. */
    async function provisioned(...options: string[]) {
      const { status, output } = await appliance('chef-provision', ...options)
      if (status !== 0) throw new Error(output.slice(-4000))
      const { steps } = JSON.parse(await readFile(join(stage, 'report.json'), 'utf8')) as ProvisionReport
      return {
        from: steps.map(({ from }) => from),
        steps: await readFile(join(stage, 'files/steps'), 'utf8'),
        layers: (await readdir(join(stage, 'layers'))).sort(),
      }
    }

    beforeAll(async () => {
      await buildExample('veewee-basebox')
      await rm(folder, { recursive: true, force: true })
      await mkdir(join(folder, 'build'), { recursive: true })
      const parts = (await readdir(exampleFolder)).filter((name) => name !== 'build')
      const stages = ['key', 'mirror-deps', 'tools', 'veewee-basebox'].map((name) => join('build', name))
      for (const name of [...parts, ...stages])
        await run('cp', [
          '-a',
          '--reflink=auto',
          '--sparse=always',
          join(exampleFolder, name),
          join(folder, name),
        ])
      const yaml = await readFile(join(folder, 'appliance.yml'), 'utf8')
      const spec = yaml
        .replace(/^provision:[\s\S]*?(?=^# Once|^first_boot)/m, '')
        .replace(/^first_boot:.*$/m, '')
      await writeFile(join(folder, 'appliance.yml'), `${spec}${provision}`)
    })

    test('--from-step runs that step and those after it; --no-layers all, and leaves the layers alone', async () => {
      const first = await provisioned()
      expect(first).toMatchObject({ from: ['run', 'run', 'run'], steps: '1\n2\n' })
      expect(await provisioned('--from-step', 'second')).toEqual({ ...first, from: ['layer', 'run', 'run'] })
      expect(await provisioned('--from-step', '3')).toEqual({ ...first, from: ['layer', 'layer', 'run'] })
      expect(await provisioned('--no-layers')).toEqual({ ...first, from: ['run', 'run', 'run'] })
    })
  })
