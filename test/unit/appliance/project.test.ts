import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { projectOf } from '../../../actions/appliance/project.ts'

test('scenarios that the driver cannot do are refused, but for a command that asks for others', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'appliance-project-'))
  try {
    await mkdir(join(folder, 'scenarios'))
    const spec = [
      'name: box',
      'version: 1.0.0',
      'validate: { scenarios: scenarios/, hypervisor: vagrant }',
      'basebox: { bootstrap: { suite: bookworm } }',
      'mirror: { deb: [{ name: debian, uri: "https://deb.example.test/debian", suites: [bookworm] }] }',
    ]
    await writeFile(join(folder, 'appliance.yml'), `${spec.join('\n')}\n`)
    await writeFile(join(folder, 'scenarios/cut.yml'), 'name: Cut\nsteps:\n  - network: cut\n')
    const values = { 'working-directory': folder }
    await expect(projectOf(values)).rejects.toThrow('network needs what vagrant cannot do: cable')
    expect((await projectOf({ ...values, scenario: 'Another' })).spec.name).toBe('box')
    expect((await projectOf({ ...values, tags: 'smoke' })).spec.name).toBe('box')
  } finally {
    await rm(folder, { recursive: true })
  }
})
