import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { showFault } from '../../../actions/lib/errors/fault.ts'
import { parseYaml } from '../../../actions/lib/spec/positions.ts'
import { recipeFaults } from '../../../actions/lib/spec/recipes.ts'

let home: string
// Below a folder of a name that has a meaning in a cookbook.
const folder = () => join(home, 'test')
const files = {
  'cookbooks/web/recipes/default.rb': "package 'nginx'\nservice 'nginx' do\n  action :start\n",
  'cookbooks/web/recipes/good.rb': "package 'nginx' if node['web']&.fetch('on')\n",
  'cookbooks/web/files/default/broken.rb': 'def (\n',
  'cookbooks/web/spec/default_spec.rb': 'def (\n',
  'cookbooks/spec/recipes/default.rb': 'x = [1,\n',
  'roles/front.rb': "name 'front'\nrun_list 'recipe[web]\n",
}
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'recipes-'))
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder(), name)), { recursive: true })
    await writeFile(join(folder(), name), text)
  }
})
afterAll(() => rm(home, { recursive: true }))

test('a cookbook that is a symlink to another place is read, too', async () => {
  const elsewhere = join(home, 'elsewhere/recipes')
  await mkdir(elsewhere, { recursive: true })
  await writeFile(join(elsewhere, 'default.rb'), 'x = [1,\n')
  await mkdir(join(folder(), 'linked'))
  await symlink('../../elsewhere', join(folder(), 'linked/other'))
  const yaml = parseYaml('provision: [{ chef_solo: { cookbooks: linked } }]', 'appliance.yml')
  expect((await recipeFaults(yaml, folder())).map((fault) => showFault(fault).split('\n')[0])).toEqual([
    expect.stringMatching(/^linked\/other\/recipes\/default\.rb:\d:\d+: syntax error: /),
  ])
})

test('each file that is no Ruby is named with its first fault, but not what a cookbook only carries', async () => {
  const step = '{ chef_solo: { cookbooks: [cookbooks, 7, nowhere], roles: roles } }'
  const yaml = parseYaml(`provision: [reboot, ${step}, ${step}, 7]`, 'appliance.yml')
  expect((await recipeFaults(yaml, folder())).map((fault) => showFault(fault).split('\n')[0])).toEqual([
    expect.stringMatching(/^cookbooks\/spec\/recipes\/default\.rb:\d:\d+: syntax error: /),
    expect.stringMatching(/^cookbooks\/web\/recipes\/default\.rb:\d:\d+: syntax error: /),
    expect.stringMatching(/^roles\/front\.rb:2:\d+: syntax error: /),
  ])
})
