import { link, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { lackingCookbooks } from '../../actions/chef-provision/before-boot.ts'
import { rubyFaults } from '../../actions/chef-provision/chef/syntax.ts'
import { knownPath, vendor, withVendored } from '../../actions/chef-provision/chef/vendored.ts'
import { sha256 } from '../../actions/lib/files/digest.ts'
import type { Lock, LockedCookbooks } from '../../actions/lib/lock/lock.ts'
import { gitRepositoriesOf } from '../../actions/lib/lock/repositories.ts'
import { cookbookInTree } from '../../actions/lib/mirror/cookbook-in-tree.ts'
import { objectPath } from '../../actions/lib/mirror/store.ts'
import { run } from '../../actions/lib/process/command.ts'
import type { CookbookFile } from '../../actions/lib/spec/cookbook-file.ts'
import type { StepOf } from '../../actions/lib/spec/provision-step.ts'
import type { StageWork } from '../../actions/lib/stage/stage.ts'
import type { ToolsRoot } from '../../actions/lib/tools/tools.ts'
import { solveCookbooks } from '../../actions/mirror-deps/cookbook/solve.ts'
import { writeGitRepositories } from '../../actions/mirror-deps/git/tree.ts'
import { chefStep } from '../fixtures/chef-guest.ts'
import { convergeInRoot } from '../fixtures/converge-in-root.ts'
import { buildExample, exampleFolder } from '../fixtures/example.ts'
import { toolsDiskOf, toolsRootOf, unpackBase } from '../fixtures/example-root.ts'
import { supermarket, writeCookbook } from '../fixtures/supermarket.ts'

const signal = new AbortController().signal
const made = { user: 'a', email: 'a@example.test' }

if (process.getuid?.() !== 0)
  test.skip('skipped, because a change of the root directory needs root', () => {})
else
  describe('Berkshelf and chef-cli, from the example’s tools', () => {
    let folder: string
    let root: ToolsRoot
    let market: Awaited<ReturnType<typeof supermarket>>
    beforeAll(async () => {
      await buildExample('veewee-basebox')
      folder = await mkdtemp(join(tmpdir(), 'appliance-cookbooks-'))
      root = await toolsWithSolvers(folder)
      market = await supermarket(join(folder, 'market'), [
        { name: 'web', version: '1.2.0', depends: { tools: '~> 2.0' } },
        { name: 'tools', version: '2.0.0' },
        { name: 'tools', version: '2.1.0' },
        { name: 'tools', version: '3.0.0' },
        { name: 'odd', version: '1.0.0', depends: { tools: '>= 3.0' } },
      ])
      await writeCookbook(join(folder, 'project/cookbooks/own'), {
        name: 'own',
        version: '0.1.0',
        depends: { web: '>= 1.0' },
        files: {
          'recipes/default.rb':
            "include_recipe 'web'\nfile('/etc/own') { content run_context.cookbook_collection.map { |n, c| \"#{n} #{c.version}\" }.sort.join(', ') }\n",
        },
      })
      const repository = join(folder, 'upstream')
      await writeCookbook(join(repository, 'cookbooks/gitted'), { name: 'gitted', version: '0.5.0' })
      const as = ['-c', `user.name=${made.user}`, '-c', `user.email=${made.email}`]
      for (const args of [
        ['init', '-q', '-b', 'main'],
        ['add', '-A'],
        [...as, 'commit', '-qm', 'gitted'],
        // As releases are: the tag is an object of its own.
        [...as, 'tag', '--annotate', '--message', 'Release 0.5', 'v0.5'],
      ])
        await run('git', ['-C', repository, ...args])
      // Further branches of it, each with a cookbook of its own, as one repository of several teams has.
      for (const name of ['east', 'west', 'north']) {
        await run('git', ['-C', repository, 'checkout', '-q', '-b', `team/${name}`, 'main'])
        await writeCookbook(join(repository, 'cookbooks', name), { name, version: '0.1.0' })
        await run('git', ['-C', repository, 'add', '-A'])
        await run('git', ['-C', repository, ...as, 'commit', '-qm', name])
      }
      await run('git', ['-C', repository, 'checkout', '-q', 'main'])
    }, 2_400_000)
    afterAll(async () => {
      await market?.[Symbol.asyncDispose]()
      if (folder) await rm(folder, { recursive: true, force: true })
    })

    const from = () =>
      `cookbook 'own', path: 'cookbooks/own'\ncookbook 'gitted', git: 'file://${folder}/upstream', tag: 'v0.5', rel: 'cookbooks/gitted'\n`
    const berksfile = (text: string) => `source '${market.url}'\n${text}`
    const policyfile = (text: string) => `name 'shop'\ndefault_source :supermarket, '${market.url}'\n${text}`
    const project = () => ({
      directory: join(folder, 'project'),
      buildDirectory: join(folder, 'project/build'),
    })
    const options = () => ({ store: join(folder, 'store'), work: join(folder, 'work'), signal })

    async function written(kind: CookbookFile['kind'], text: string, lock?: string): Promise<CookbookFile> {
      const name = kind === 'berksfile' ? 'Berksfile' : 'Policyfile.rb'
      const path = join(folder, 'project', name)
      await writeFile(path, text)
      const beside = kind === 'berksfile' ? `${path}.lock` : path.replace('.rb', '.lock.json')
      await rm(beside, { force: true })
      if (lock) await writeFile(beside, lock)
      return { kind, name, path }
    }

    /** Locks and mirrors what a file names, and then vendors it with the supermarket and the repository gone. */
    async function vendored(file: CookbookFile) {
      const { fromSupermarket, ...solved } = await solveCookbooks(file, root, project(), options())
      const tree = join(folder, 'project/build/mirror-deps/tree')
      const cookbooks = []
      for (const one of fromSupermarket) {
        const bytes = Buffer.from(await (await fetch(one.url)).arrayBuffer())
        const locked = { ...one, sha256: sha256(bytes), size: bytes.length }
        const object = objectPath(options().store, locked.sha256)
        const to = join(tree, cookbookInTree(locked))
        for (const path of [object, to]) await mkdir(dirname(path), { recursive: true })
        await writeFile(object, bytes)
        await link(object, to).catch(() => {})
        cookbooks.push(locked)
      }
      await writeGitRepositories(solved.git.flatMap(gitRepositoriesOf), join(tree, 'git'), options())
      const locked: LockedCookbooks = { name: file.name, ...solved, cookbooks }
      const workDirectory = await mkdtemp(join(folder, 'stage-'))
      const work = {
        project: { ...project(), lock: { cookbook: [locked] } as unknown as Lock },
        signal,
        workDirectory,
      } as unknown as StageWork
      const before = market.asked.length
      await vendor(file, root, work)
      expect(market.asked.slice(before)).toEqual([])
      return { locked, work }
    }

    test('a Berksfile: from a supermarket, git and a path, converged for real', async () => {
      const file = await written('berksfile', berksfile(from()))
      const { locked, work } = await vendored(file)
      expect(locked.cookbooks.map(({ name, version }) => `${name} ${version}`)).toEqual([
        'tools 2.1.0',
        'web 1.2.0',
      ])
      expect(locked.fromGit).toMatchObject([{ name: 'gitted', version: '0.5.0', folder: 'cookbooks/gitted' }])
      expect(locked.git).toMatchObject([{ name: 'berksfile-upstream', ref: 'v0.5', kind: 'tag' }])
      expect(locked.local).toEqual([{ name: 'own', path: 'cookbooks/own' }])
      const step = withVendored(chefStep({ solved: file, runList: ['recipe[own]', 'recipe[gitted]'] }), work)
      expect((await readdir(step.cookbooks[0]!)).sort()).toEqual(['gitted', 'own', 'tools', 'web'])
      expect(await converged(folder, step)).toBe('gitted 0.5.0, own 0.1.0, tools 2.1.0, web 1.2.0')

      const wrong = chefStep({ solved: file, runList: ['recipe[own]', 'recipe[gited]', 'recipe[nobody::x]'] })
      expect((await lackingCookbooks(wrong, 0, work)).map(({ message }) => message)).toEqual([
        'provision[1].chef_solo.run_list: there is no cookbook gited; did you mean gitted?',
        'provision[1].chef_solo.run_list: there is no cookbook nobody; Berksfile and cookbooks: give gitted, own, tools, web',
      ])
      const roles = join(folder, 'project/roles')
      await mkdir(roles)
      await writeFile(join(roles, 'front.json'), '{ "run_list": ["recipe[own::defalt]"] }')
      const byRole = chefStep({ solved: file, runList: ['role[front]'], roles })
      expect((await lackingCookbooks(byRole, 0, work)).map(({ message }) => message)).toEqual([
        'provision[1].chef_solo.run_list: roles/front.json names recipe[own::defalt]: there is no recipe defalt in own; did you mean default?',
      ])

      // What was vendored is read, too; the project's own under its own name.
      for (const name of ['own', 'tools'])
        await writeFile(join(step.cookbooks[0]!, name, 'recipes/bad.rb'), "\npackage 'gimp' do\n")
      const ruby = await rubyFaults(root, step, { shown: knownPath(step, work), signal })
      expect(ruby.map(({ file, line }) => `${file}:${line}`)).toEqual([
        'cookbooks/own/recipes/bad.rb:2',
        'Berksfile: tools/recipes/bad.rb:2',
      ])
    }, 300_000)

    test('a Policyfile, exported by chef-cli and converged for real', async () => {
      const file = await written('policyfile', policyfile(`run_list 'own', 'gitted'\n${from()}`))
      const { locked, work } = await vendored(file)
      expect(JSON.parse(locked.solution)).toMatchObject({
        name: 'shop',
        run_list: ['recipe[own::default]', 'recipe[gitted::default]'],
      })
      const step = withVendored(chefStep({ solved: file, runList: [] }), work)
      expect(await readdir(step.policy!)).toContain('cookbook_artifacts')
      expect(await converged(folder, step)).toMatch(/^gitted 0.5.0, own 0.1.0, tools 2.1.0, web 1.2.0$/)

      // The lock that it gave fits, and stays; that of another Policyfile is refused.
      const same = await written('policyfile', await readFile(file.path, 'utf8'), locked.solution)
      expect(JSON.parse((await solveCookbooks(same, root, project(), options())).solution)).toEqual(
        JSON.parse(locked.solution),
      )
      const other = await written('policyfile', policyfile(`run_list 'own'\n${from()}`), locked.solution)
      await expect(solveCookbooks(other, root, project(), options())).rejects.toThrow(
        "Policyfile.rb: Policyfile.lock.json is another Policyfile's: run_list changed since; run 'chef update'",
      )
    }, 300_000)

    test.each(['berksfile', 'policyfile'] as const)(
      'a %s: four cookbooks from one repository, by a tag, two branches and a commit',
      async (kind) => {
        const url = `file://${folder}/upstream`
        const north = (
          await run('git', ['-C', join(folder, 'upstream'), 'rev-parse', 'team/north'])
        ).stdout.trim()
        const at = { gitted: "tag: 'v0.5'", east: "branch: 'team/east'", west: "branch: 'team/west'" }
        const cookbooks = Object.entries({ ...at, north: `ref: '${north}'` })
          .map(([name, where]) => `cookbook '${name}', git: '${url}', ${where}, rel: 'cookbooks/${name}'\n`)
          .join('')
        const text =
          kind === 'berksfile'
            ? berksfile(cookbooks)
            : policyfile(`run_list 'gitted', 'east', 'west', 'north'\n${cookbooks}`)
        const { locked, work } = await vendored(await written(kind, text))
        expect(locked.git.map(({ ref, kind: how }) => `${how} ${ref}`).sort()).toEqual([
          'branch team/east',
          'branch team/west',
          `commit ${north}`,
          'tag v0.5',
        ])
        const names = ['east', 'gitted', 'north', 'west']
        expect(locked.fromGit.map(({ name }) => name).sort()).toEqual(names)
        const step = withVendored(chefStep({ solved: await written(kind, text), runList: [] }), work)
        const folders = await readdir(
          kind === 'berksfile' ? step.cookbooks[0]! : join(step.policy!, 'cookbook_artifacts'),
        )
        expect(folders.map((name) => name.replace(/-[0-9a-f]{40}$/, '')).sort()).toEqual(names)

        // Locked again, with the tool's own lock beside it: the same commits.
        const again = await solveCookbooks(
          await written(kind, text, locked.solution),
          root,
          project(),
          options(),
        )
        expect(again.git.map(({ commit }) => commit)).toEqual(locked.git.map(({ commit }) => commit))
      },
      300_000,
    )

    test.each([
      [
        'a cookbook that nobody has',
        "cookbook 'nobody'\n",
        /Berksfile: Berkshelf: .*'nobody \(>= 0.0.0\)' required by 'user-specified dependency'/,
      ],
      [
        'no solution',
        "cookbook 'odd'\ncookbook 'web'\n",
        /'tools \(>= 3.0.0\)' required by 'odd-1.0.0' 'tools \(~> 2.0\)' required by 'web-1.2.0'/,
      ],
      ['a word Berkshelf does not know', "\ncokbook 'web'\n", "Berksfile:3: undefined method 'cokbook'"],
      ['Ruby that is none', "cookbook 'odd\ncookbook 'web'\n", /Berksfile:3: syntax error/],
      [
        'a path that leads nowhere',
        "cookbook 'x', path: 'nowhere'\n",
        /The resource at 'nowhere' does not appear to be a valid cookbook/,
      ],
    ])('a Berksfile with %s', async (_, text, message) => {
      const file = await written('berksfile', berksfile(text))
      await expect(solveCookbooks(file, root, project(), options())).rejects.toThrow(message)
    })

    test.each([
      [
        'a cookbook that nobody has',
        "run_list 'nobody'\n",
        /Policyfile.rb: chef-cli: .*'nobody \(>= 0.0.0\)' required by/,
      ],
      [
        'a recipe that no cookbook has',
        "run_list 'web::no'\n",
        'Policyfile.rb: its run list names recipes that the cookbooks do not have: web::no',
      ],
      ['a word chef-cli does not know', "runlist 'web'\n", "Policyfile.rb:3: undefined method 'runlist'"],
      ['Ruby that is none', "run_list 'odd\ncookbook 'web'\n", /Policyfile.rb:4: syntax error/],
    ])('a Policyfile with %s', async (_, text, message) => {
      const file = await written('policyfile', policyfile(text))
      await expect(solveCookbooks(file, root, project(), options())).rejects.toThrow(message)
    })

    test('a Berksfile without a source', async () => {
      const file = await written('berksfile', "cookbook 'web'\n")
      await expect(solveCookbooks(file, root, project(), options())).rejects.toThrow(
        'Berksfile: names no source: begin it with source',
      )
    })

    test('a supermarket that does not answer', async () => {
      const file = await written('berksfile', "source 'http://127.0.0.1:9'\ncookbook 'web'\n")
      await expect(solveCookbooks(file, root, project(), options())).rejects.toThrow(
        /Berksfile: Berkshelf: Error retrieving universe from source: http:\/\/127.0.0.1:9.*Connection refused/,
      )
    }, 60_000)

    test('a path cookbook that needs others than were locked', async () => {
      const file = await written('berksfile', berksfile(from()))
      const { work } = await vendored(file)
      const metadata = join(folder, 'project/cookbooks/own/metadata.rb')
      const before = await readFile(metadata, 'utf8')
      await writeFile(metadata, `${before}depends 'odd'\n`)
      const again = { ...work, workDirectory: await mkdtemp(join(folder, 'stage-')) }
      await expect(vendor(file, root, again)).rejects.toThrow(
        'Berksfile: Berkshelf: a cookbook of a path needs others now than were locked',
      )
      await writeFile(metadata, before)
    })
  })

/** The example's tools root, and in it, from RubyGems, what the gems `for: tools` would bring. */
async function toolsWithSolvers(folder: string): Promise<ToolsRoot> {
  const example = await toolsRootOf(exampleFolder)
  const directory = join(folder, 'tools')
  await run('cp', ['-a', '--reflink=auto', example.directory, directory])
  for (const file of ['/etc/resolv.conf', '/etc/hosts']) await run('cp', [file, join(directory, file)])
  const bundle = process.env.SSL_CERT_FILE ?? '/etc/ssl/certs/ca-certificates.crt'
  await run('cp', [bundle, join(directory, 'ca.crt')])
  await run('chroot', [directory, 'gem', 'install', '--quiet', '--no-document', 'berkshelf', 'chef-cli'], {
    env: {
      SSL_CERT_FILE: '/ca.crt',
      HOME: '/root',
      GEM_HOME: undefined,
      GEM_PATH: undefined,
      RUBYOPT: undefined,
    },
  })
  return { ...example, directory }
}

/** Converges in the example's base machine; what the recipe of `own` wrote there. */
async function converged(folder: string, step: StepOf<'chef_solo'>): Promise<string> {
  const root = await mkdtemp(join(folder, 'guest-'))
  await unpackBase(exampleFolder, root)
  await mkdir(join(root, 'tools'))
  await run('debugfs', ['-R', `rdump / ${join(root, 'tools')}`, await toolsDiskOf(exampleFolder)])
  const [done] = await convergeInRoot(root, step)
  if (done!.status !== 0) throw new Error(done!.printed)
  return await readFile(join(root, 'etc/own'), 'utf8')
}
