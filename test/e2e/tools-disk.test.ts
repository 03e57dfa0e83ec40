import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { run } from '../../actions/lib/process/command.ts'
import { buildExample, exampleFolder } from '../fixtures/example.ts'
import { inRoot, toolsDiskOf, unpackBase } from '../fixtures/example-root.ts'

/** Sixteen bytes of salt and a hash: crypt(3)'s SHA-512 of two passwords. */
const passwords = [
  '$6$abcdefgh$yVfUwsw5T.JApa8POvClA1pQ5peiq97DUNCZN5IrrF.BMSkiaLQ5kvpuEm/VQ1Tvh/KV2TtaWh8qinoW5dhA1.',
  '$6$abcdefgh$yVfUwsw5T.JApa8POvClA1pQ5peiq97DUNCZN5IrrF.BMSkiaLQ5kvpuEm/VQ1Tvh/KV2TtaWh9qinoW5dhA1.',
]

const recipe = `
file('/etc/one') { content "ü one\\n"; mode '0600' }
template('/etc/two') { source 'two.erb' }
user('admin1') { password node['password']; manage_home true }
archive_file('/run/cook/some.tar.gz') { destination '/etc/unpacked' }
execute 'env >/etc/environment-of-programs; readlink /proc/self/exe >/etc/program; perl -e 1'
`

const cookbook = {
  'solo.rb': "cookbook_path ['/run/cook/cookbooks']\ncache_path '/run/cook/cache'\n",
  'cookbooks/try/metadata.rb': "name 'try'\n",
  'cookbooks/try/recipes/default.rb': recipe,
  'cookbooks/try/templates/two.erb':
    '<%= node["platform"] %> <%= node["platform_version"] %> <%= node["kernel"]["machine"] %>\n',
}

if (process.getuid?.() !== 0)
  test.skip('skipped, because a change of the root directory needs root', () => {})
else
  describe('Chef from the tools disk, in the example’s base machine, which has no Ruby', () => {
    let root: string
    let first: string
    let second: string
    beforeAll(async () => {
      await buildExample()
      root = await mkdtemp(join(tmpdir(), 'appliance-tools-disk-'))
      await unpackBase(exampleFolder, root)
      await mkdir(join(root, 'tools'))
      await run('debugfs', ['-R', `rdump / ${join(root, 'tools')}`, await toolsDiskOf(exampleFolder)])
      for (const [path, content] of Object.entries(cookbook)) {
        await mkdir(join(root, 'run/cook', path, '..'), { recursive: true })
        await writeFile(join(root, 'run/cook', path), content)
      }
      await run('tar', ['-czf', join(root, 'run/cook/some.tar.gz'), '-C', join(root, 'etc'), 'hostname'])
      first = await chefSolo(root, passwords[0]!)
      second = await chefSolo(root, passwords[1]!)
    })
    afterAll(async () => rm(root, { recursive: true, force: true }))

    test('converges, and a second time does only what is left to do', () => {
      expect(first).toContain('5/5 resources updated')
      expect(second).toContain('2/5 resources updated') // the other password, and the program
    })

    test('knows the guest for what it is', async () => {
      expect(await readFile(join(root, 'etc/two'), 'utf8')).toBe('debian 12 x86_64\n')
      expect(await readFile(join(root, 'etc/one'), 'utf8')).toBe('ü one\n')
    })

    test('sets the password of a user that is there already', async () => {
      expect(await readFile(join(root, 'etc/shadow'), 'utf8')).toContain(`admin1:${passwords[1]}:`)
    })

    test('unpacks archives with the tools’ own library', async () => {
      expect(await readdir(join(root, 'etc/unpacked'))).toEqual(['hostname'])
    })

    test('starts the guest’s programs, and lets nothing of the tools’ Ruby show in their environment', async () => {
      expect(await readFile(join(root, 'etc/program'), 'utf8')).toBe('/usr/bin/readlink\n')
      expect(await readFile(join(root, 'etc/environment-of-programs'), 'utf8')).not.toMatch(
        /\/tools|^(RUBY|GEM|BUNDLE|LD_)/m,
      )
    })

    test('leaves no licence marker, no gems and no configuration behind', async () => {
      const { stdout } = await run('find', [
        root,
        '-xdev',
        '-newer',
        join(root, 'run/cook/solo.rb'),
        '-type',
        'f',
      ])
      const left = stdout.split('\n').filter((path) => /chef|\.gem|license/i.test(path.slice(root.length)))
      expect(left.filter((path) => !path.startsWith(join(root, 'run/cook/')))).toEqual([])
    })
  })

async function chefSolo(root: string, password: string): Promise<string> {
  const node = { run_list: ['recipe[try]'], password }
  await writeFile(join(root, 'run/cook/node.json'), JSON.stringify(node))
  const chef = 'sh /tools/chef-solo --legacy-mode -c /run/cook/solo.rb -j /run/cook/node.json --no-color'
  const { stdout } = await inRoot(root, `${chef} --force-formatter --chef-license accept-no-persist`)
  return stdout
}
