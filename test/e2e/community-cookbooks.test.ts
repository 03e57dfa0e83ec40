import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { refuseHopeless } from '../../actions/chef-provision/before-boot.ts'
import { failureMessage, projectPaths } from '../../actions/chef-provision/chef/failure.ts'
import { rubyFaults } from '../../actions/chef-provision/chef/syntax.ts'
import { sha256 } from '../../actions/lib/files/digest.ts'
import { run } from '../../actions/lib/process/command.ts'
import type { StepOf } from '../../actions/lib/spec/provision-step.ts'
import { type Converged, convergeInRoot } from '../fixtures/converge-in-root.ts'
import { buildExample, exampleFolder } from '../fixtures/example.ts'
import { inRoot, toolsDiskOf, toolsRootOf, toolsWork, unpackBase } from '../fixtures/example-root.ts'

const SECRET = 'a secret that only the tests have'
const cookbooks = resolve('test/fixtures/cookbooks')
const FETCHED = 'what a recipe fetches\n'

/** A step that names all of Chef's folders. */
const step: StepOf<'chef_solo'> = {
  kind: 'chef_solo',
  cookbooks: [join(cookbooks, 'shelf'), join(cookbooks, 'shared')],
  runList: ['role[front]'],
  policy: undefined,
  solved: undefined,
  roles: join(cookbooks, 'roles'),
  environments: join(cookbooks, 'environments'),
  environment: 'live',
  dataBags: join(cookbooks, 'data_bags'),
  dataBagSecret: { env: 'BAG_SECRET' },
  attributesFile: undefined,
  attributes: { front: { url: '{{mirror}}/thing', checksum: sha256(FETCHED) } },
  whyRun: false,
  logLevel: 'warn',
  idempotent: false,
}

if (process.getuid?.() !== 0)
  test.skip('skipped, because a change of the root directory needs root', () => {})
else
  describe('cookbooks of the usual shape, in the example’s base machine', () => {
    let root: string
    let first: Converged
    let second: Converged
    beforeAll(async () => {
      await buildExample()
      root = await mkdtemp(join(tmpdir(), 'appliance-community-'))
      await unpackBase(exampleFolder, root)
      await mkdir(join(root, 'tools'))
      await run('debugfs', ['-R', `rdump / ${join(root, 'tools')}`, await toolsDiskOf(exampleFolder)])
      await mkdir(join(root, 'run/mirror'), { recursive: true })
      await writeFile(join(root, 'run/mirror/thing'), FETCHED)
      const both = await convergeInRoot(root, step, { secret: SECRET, times: 2 })
      first = both[0]!
      second = both[1]!
    })
    afterAll(async () => rm(root, { recursive: true, force: true }))

    test('roles, environments, attributes of ohai, templates with partials', async () => {
      expect(first.printed).not.toMatch(/FATAL/)
      expect(first.status).toBe(0)
      expect(await readFile(join(root, 'etc/front.conf'), 'utf8')).toBe(
        '# debian 12 on x86_64\nlisten 9090\ntitle From the role\nenvironment live\n',
      )
      expect(Number(await readFile(join(root, 'etc/platform.d/shared_kib'), 'utf8'))).toBeGreaterThan(1000)
    })

    test('data bags are searched, and encrypted items opened', async () => {
      expect(await readFile(join(root, 'etc/people'), 'utf8')).toBe('ann bob\n')
      expect((await inRoot(root, 'id -u ann; id -nG ann')).stdout).toBe('2001\nann staff\n')
      expect((await inRoot(root, 'id -u bob', { allowFailure: true })).status).toBe(1)
      expect(await readFile(join(root, 'srv/front/key'), 'utf8')).toBe(
        'not a real key, only a text of the tests\n',
      )
    })

    test('notifications, at once and delayed; what is fetched is held to its checksum', async () => {
      expect(await readFile(join(root, 'var/log/front.log'), 'utf8')).toBe('reloaded\n')
      expect(await readFile(join(root, 'srv/front/fetched'), 'utf8')).toBe(FETCHED)
    })

    test('the report and the tree tell of all of it, resources within resources', () => {
      expect(first.reporter.report).toMatchObject({ chef: expect.stringMatching(/^18\./), failed: 0 })
      expect(first.reporter.report.updated).toBeGreaterThan(8)
      expect(first.reporter.report.updatedResources).toContain(
        'accounts_person[ann] create (accounts::default)',
      )
      expect(first.tree).toMatch(
        /^accounts::default\n {2}accounts_person\[ann\] create\n {4}user\[ann\] create: updated/m,
      )
      expect(first.tree).toMatch(
        /file\[\/etc\/front\.changed\] create \(notified by template\[\/etc\/front\.conf\]\)/,
      )
      expect(first.tree).not.toContain('not a real key')
    })

    test('a second run updates nothing', () => {
      expect(second.status).toBe(0)
      expect(second.reporter.report.updatedResources).toEqual([])
      expect(second.reporter.report.resources).toBe(first.reporter.report.resources - 2) // nobody is notified
    })

    test('a failing resource is told with its place in the project, one that cannot be compiled with its line', async () => {
      const shelf = await mkdtemp(join(tmpdir(), 'shelf-'))
      try {
        await cp(join(cookbooks, 'shared'), shelf, { recursive: true })
        const recipe = join(shelf, 'platform/recipes/default.rb')
        const failing = {
          ...step,
          cookbooks: [shelf],
          runList: ['platform'],
          dataBags: undefined,
          dataBagSecret: undefined,
        }
        const message = async () => {
          const [{ status, reporter }] = (await convergeInRoot(root, failing)) as [Converged]
          expect(status).not.toBe(0)
          return failureMessage(
            reporter.failure!,
            await projectPaths(failing, (file) => relative(shelf, file)),
          )
        }
        await writeFile(recipe, "\nexecute 'make it' do\n  command 'echo no such thing >&2; false'\nend\n")
        expect(await message()).toMatch(
          /^execute\[make it\] run \(platform\/recipes\/default\.rb:2\): Mixlib::ShellOut::ShellCommandFailed: .*STDERR: no such thing/,
        )
        await writeFile(recipe, "\n\nnode['no']['such']['attribute']\n")
        expect(await message()).toMatch(/^platform\/recipes\/default\.rb:3: NoMethodError: undefined method/)
      } finally {
        await rm(shelf, { recursive: true })
      }
    })

    test('what Ruby cannot read is found without running any of it', async () => {
      // Below a folder of a name that has a meaning in a cookbook.
      const home = await mkdtemp(join(tmpdir(), 'shelf-'))
      const shelf = join(home, 'test')
      await cp(join(cookbooks, 'shared'), shelf, { recursive: true })
      await writeFile(join(shelf, 'platform/recipes/default.rb'), "\npackage 'gimp' do\n")
      await writeFile(join(shelf, 'platform/recipes/bad.rb'), 'x = [1,\n2\ny = }\n')
      await mkdir(join(shelf, 'platform/templates'))
      await writeFile(join(shelf, 'platform/templates/site.erb'), 'a\n<% if x %>\n b\n')
      const tools = await toolsRootOf(exampleFolder)
      const signal = new AbortController().signal
      const faults = await rubyFaults(
        tools,
        { ...step, cookbooks: [...step.cookbooks, shelf] },
        { shown: (file) => relative(shelf, file), signal },
      )
      await rm(home, { recursive: true })
      expect(faults).toEqual([
        { file: 'platform/recipes/bad.rb', line: 3, message: expect.stringMatching(/^syntax error/) },
        { file: 'platform/recipes/default.rb', line: 2, message: expect.stringMatching(/^syntax error/) },
        {
          file: 'platform/templates/site.erb',
          line: expect.any(Number),
          message: expect.stringMatching(/^syntax error/),
        },
      ])
    })

    test('a secret that is not set and recipes that are no Ruby, of all steps at once, before anything boots', async () => {
      const shelf = await mkdtemp(join(tmpdir(), 'shelf-'))
      await cp(join(cookbooks, 'shared'), shelf, { recursive: true })
      await writeFile(join(shelf, 'platform/recipes/default.rb'), "\npackage 'gimp' do\n")
      const { project, ...work } = await toolsWork(exampleFolder)
      const provision = [
        { ...step, dataBagSecret: { env: 'BAG_SECRET_NOT_SET' } },
        { ...step, cookbooks: [shelf], dataBagSecret: { file: 'bag-secret' } },
      ]
      const spec = { ...project.spec, provision }
      const at = { ...project, directory: shelf, spec }
      const refused = refuseHopeless({ ...work, project: at, workDirectory: shelf })
      await expect(refused).rejects.toMatchObject({
        code: 'input',
        message: expect.stringMatching(
          /^provision\[1\]\.chef_solo\.data_bag_secret: the environment variable BAG_SECRET_NOT_SET is not set\nplatform\/recipes\/default\.rb:2: syntax error/,
        ),
      })
      await rm(shelf, { recursive: true })
    })

    test('a policy, as chef export writes it', async () => {
      const policy = await exportedPolicy(join(cookbooks, 'shared/platform'))
      const [{ status, reporter, printed }] = (await convergeInRoot(root, {
        ...step,
        cookbooks: [],
        runList: [],
        policy,
        roles: undefined,
        environments: undefined,
        environment: undefined,
        dataBags: undefined,
        dataBagSecret: undefined,
        whyRun: true,
      })) as [Converged]
      await rm(policy, { recursive: true })
      expect(printed).not.toMatch(/FATAL/)
      expect(status).toBe(0)
      expect(reporter.report.resources).toBeGreaterThan(2)
    })
  })

/** @see https://docs.chef.io/workstation/ctl_chef/#chef-export */
async function exportedPolicy(cookbook: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'policy-'))
  const identifier = '0123456789abcdef0123456789abcdef01234567'
  const revision = 'a'.repeat(64)
  const lock = {
    revision_id: revision,
    name: 'shop',
    run_list: ['recipe[platform::default]'],
    included_policy_locks: [],
    cookbook_locks: {
      platform: {
        version: '1.4.2',
        identifier,
        dotted_decimal_identifier: '81985529216486895.40.50',
        source: 'platform',
        cache_key: null,
        scm_info: null,
        source_options: { path: 'platform' },
      },
    },
    default_attributes: {},
    override_attributes: {},
    solution_dependencies: { Policyfile: [], dependencies: { 'platform (1.4.2)': [] } },
  }
  await cp(cookbook, join(folder, `cookbook_artifacts/platform-${identifier}`), { recursive: true })
  for (const [name, value] of Object.entries({
    'Policyfile.lock.json': lock,
    [`policies/shop-${revision}.json`]: lock,
    'policy_groups/local.json': { policies: { shop: { revision_id: revision } } },
  })) {
    await mkdir(join(folder, name, '..'), { recursive: true })
    await writeFile(join(folder, name), JSON.stringify(value))
  }
  return folder
}
