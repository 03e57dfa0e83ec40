import { copyFile, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { expect, test } from '@jest/globals'
import { node24 } from '../dist/emulator/step.ts'
import { builtCopy } from '../fixtures/built-copy.ts'
import { command } from '../fixtures/command.ts'
import { buildExample, exampleFolder, exampleOva } from '../fixtures/example.ts'

const full = process.env.APPLIANCE_TESTS === 'full'
const where = full ? test : test.skip

where(
  'the upgrade of docs/scenarios.md: what the previous release has backed up, this one restores (script/test full)',
  async () => {
    await buildExample()
    const folder = await builtCopy(exampleFolder, ['ova-pack'])
    try {
      // There is one release of the example: it follows itself.
      await copyFile(exampleOva, join(folder, 'build', 'previous.ova'))
      const page = await readFile('docs/scenarios.md', 'utf8')
      const [, scenario] = /^## Try an upgrade\n[\s\S]*?^```yaml\n([\s\S]*?)^```/m.exec(page)!
      await writeFile(join(folder, 'scenarios', 'upgrade.yml'), scenario!)
      const { status, output } = await command({ folder, node: node24 })(
        ...['vm-validate', '--ova', join('build', 'ova-pack', basename(exampleOva))],
        ...['--scenario', 'Licences survive the upgrade'],
      )
      expect([status, output]).toEqual([0, expect.stringContaining('Licences survive the upgrade')])
      const report = await readFile(join(folder, 'build', 'vm-validate', 'ova', 'report.xml'), 'utf8')
      expect(report.match(/classname="Licences survive the upgrade"/g)).toHaveLength(10)
      expect(report).not.toMatch(/<failure|<error|<skipped/)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
)
