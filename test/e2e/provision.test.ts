import { type ChildProcess, spawn } from 'node:child_process'
import { cp, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { ProvisionReport } from '../../actions/chef-provision/report.ts'
import { freePort } from '../../actions/lib/network/free-port.ts'
import { run } from '../../actions/lib/process/command.ts'
import { applicationRepository } from '../fixtures/application-repository.ts'
import { command } from '../fixtures/command.ts'
import { buildExample, exampleFolder } from '../fixtures/example.ts'
import { unpackDisk } from '../fixtures/example-root.ts'

const folder = resolve('build/e2e/provision')
const SECRET = 'a secret that only the tests have'
const NORMALIZE = 'file/normalize.css/node-normalize.css_8.0.1.orig.tar.gz'
const SUM = '9d0f4a4113a66570c8f5dffce39c8a48c2e2ca5c60839a6cc1bd56dd513baf92'

const provision = `package_sources: { files: [vendor.sources, vendor.asc] }
provision:
  - shell: { inline: "useradd --create-home --shell /bin/bash deploy; install -d -o deploy /srv/license-server /srv/license-server/shared /srv/license-server/shared/public; echo s > /srv/license-server/shared/public/normalize.css; mkdir -p /usr/share/rubygems-integration/3.1.0/gems/pg-1.4.5", interpreter: bash -eu }
  - name: community cookbooks
    chef_solo:
      cookbooks: [cookbooks/shelf, cookbooks/shared]
      roles: cookbooks/roles
      environments: cookbooks/environments
      environment: live
      data_bags: cookbooks/data_bags
      data_bag_secret: env:BAG_SECRET
      run_list: ["role[front]"]
      attributes: { front: { url: "{{mirror}}/${NORMALIZE}", checksum: ${SUM} } }
      idempotent: check
  - { capistrano: { directory: deploy, stage: production }, as: deploy, env: { RELEASE: main~1 } }
  - { capistrano: { directory: deploy, stage: production }, as: deploy, env: { RELEASE: main }, name: the second release }
  - { shell: { inline: "/srv/license-server/current/bin/license-server version > /root/second" } }
  - { capistrano: { directory: deploy, stage: production, task: "deploy:rollback" }, as: deploy }
  - shell:
      inline: |
        {
          cat /etc/front.conf /etc/people /srv/front/static.txt /srv/front/key /var/log/front.log
          stat -c '%U %a %n' /srv/front
          id -nG ann
          test -s /etc/platform.d/shared_kib && echo shared
          echo "releases $(ls /srv/license-server/releases | wc -l)"
          cat /root/second; /srv/license-server/current/bin/license-server version
          cat /srv/license-server/current/STAMP /srv/license-server/current/public/normalize.css
          stat -c '%U' /srv/license-server/current/VERSION
          cat /srv/license-server/repo/config
        } > /root/result
  - { download: { from: /root/result, to: result } }
`

/** What was made of the steps is worth minutes of emulated Chef, so this is for script/test full. */
if (process.env.APPLIANCE_TESTS !== 'full')
  test.skip('skipped, because it takes long: script/test full', () => {})
else
  describe('Chef and Capistrano, from the mirror', () => {
    let daemon: ChildProcess
    let spec: string
    const env = { BAG_SECRET: SECRET }
    const appliance = command({ folder, env })
    const write = (steps: string) => writeFile(join(folder, 'appliance.yml'), `${spec}${steps}`)
    const report = async () =>
      JSON.parse(await readFile(join(folder, 'build/chef-provision/report.json'), 'utf8')) as ProvisionReport

    beforeAll(async () => {
      await buildExample('veewee-basebox')
      await rm(folder, { recursive: true, force: true })
      await mkdir(folder, { recursive: true })
      await run('cp', ['-a', '--reflink=auto', '--sparse=always', `${exampleFolder}/.`, folder])
      await rm(join(folder, 'build/chef-provision'), { recursive: true, force: true })
      await cp('test/fixtures/cookbooks', join(folder, 'cookbooks'), { recursive: true })
      // As where teams share them: the cookbook is a link to another repository's folder.
      await rename(join(folder, 'cookbooks/shared/platform'), join(folder, 'platform'))
      await symlink('../../platform', join(folder, 'cookbooks/shared/platform'))
      await cp('test/fixtures/deploy', join(folder, 'deploy'), { recursive: true })
      await writeFile(
        join(folder, 'vendor.sources'),
        'Types: deb\nURIs: https://packages.example.com\nSuites: ./\nSigned-By: /etc/apt/keyrings/vendor.asc\n',
      )
      await writeFile(join(folder, 'vendor.asc'), '-----BEGIN PGP PUBLIC KEY BLOCK-----\n')
      const port = await freePort()
      const url = `git://127.0.0.1:${port}/license-server.git`
      await mkdir(join(folder, 'upstream'))
      await applicationRepository(join(folder, 'upstream'))
      daemon = spawn('git', [
        'daemon',
        '--listen=127.0.0.1',
        `--port=${port}`,
        `--base-path=${folder}/upstream`,
        '--export-all',
      ])
      const rb = join(folder, 'deploy/config/deploy.rb')
      await writeFile(
        rb,
        (await readFile(rb, 'utf8')).replace('https://git.example.com/license-server.git', url),
      )
      const yaml = await readFile(join(folder, 'appliance.yml'), 'utf8')
      spec = yaml
        .replace(/^provision:[\s\S]*?(?=^# Once|^first_boot)/m, '')
        .replace(/^first_boot:.*$/m, '')
        .replace('  git:\n', `  git:\n    - { name: license-server, url: "${url}", ref: main }\n`)
        .replace(
          '  gem:\n',
          '  gem:\n    - { name: capistrano, gems: { capistrano: "~> 3.19", capistrano-bundler: "~> 2.1" }, for: host }\n',
        )
      await write(provision)
      for (const args of [['lock'], ['build', '--until', 'chef-provision']]) {
        const { status, output } = await appliance(...args)
        if (status !== 0) throw new Error(output.slice(-4000))
      }
    })
    afterAll(() => {
      daemon?.kill()
    })

    test('community cookbooks work unchanged: search, an encrypted item, templates, notifications, providers', async () => {
      const lines = (await readFile(join(folder, 'build/chef-provision/files/result'), 'utf8')).split('\n')
      expect(lines.slice(0, 4)).toEqual([
        '# debian 12 on x86_64',
        'listen 9090',
        'title From the role',
        'environment live',
      ])
      expect(lines).toEqual(
        expect.arrayContaining([
          'ann bob',
          'a static file',
          'not a real key, only a text of the tests',
          'reloaded',
          'ann 750 /srv/front',
          'ann staff',
          'shared',
        ]),
      )
      const { chef } = (await report()).steps.find(({ title }) => title === 'community cookbooks')!
      expect(chef).toMatchObject({ failed: 0 })
      expect(chef!.updatedResources).toContain('accounts_person[ann] create (accounts::default)')
      expect(chef!.slowest.length).toBeGreaterThan(0)
    })

    test('the disk has the vendor’s package sources, no others, and nothing of what the build used', async () => {
      const root = join(folder, 'etc')
      await mkdir(root)
      await unpackDisk(join(folder, 'build/chef-provision/provisioned.qcow2'), root, '/etc')
      expect(await readdir(join(root, 'etc/apt/sources.list.d'))).toEqual(['vendor.sources'])
      expect(await readFile(join(root, 'etc/apt/keyrings/vendor.asc'), 'utf8')).toMatch(/^-----BEGIN PGP/)
      await expect(readFile(join(root, 'etc/apt/sources.list'))).rejects.toMatchObject({ code: 'ENOENT' })
      const left = await run('grep', ['-rIl', '-e', 'mirror.internal', '-e', SECRET, join(root, 'etc')], {
        allowFailure: true,
      })
      expect(left.stdout).toBe('')
    })

    test('Capistrano deploys, deploys again, rolls back; its repository comes from the mirror', async () => {
      const lines = (await readFile(join(folder, 'build/chef-provision/files/result'), 'utf8')).split('\n')
      const from = lines.indexOf('releases 1') // the rolled back one is archived and removed
      expect(from).toBeGreaterThan(0)
      expect(lines.slice(from + 1, from + 6)).toEqual(['1.5.0', '1.4.0', 'deployed by deploy', 's', 'deploy'])
      expect(lines.slice(from + 6).join('\n')).toMatch(/url = git:\/\/127\.0\.0\.1/)
      expect(lines.join('\n')).not.toContain('mirror.internal')
    })

    test('a package that is not in the mirror: the resource, its line, and the line of the spec that would add it', async () => {
      await mkdir(join(folder, 'cookbooks/shelf/lacking/recipes'), { recursive: true })
      await writeFile(join(folder, 'cookbooks/shelf/lacking/metadata.rb'), "name 'lacking'\n")
      await writeFile(join(folder, 'cookbooks/shelf/lacking/recipes/default.rb'), "\npackage 'gimp'\n")
      await write(
        provision.replace(
          / {2}- \{ capistrano[\s\S]*/,
          '  - { chef_solo: { cookbooks: [cookbooks/shelf, cookbooks/shared], run_list: [lacking] } }\n',
        ),
      )
      const { status, output } = await appliance('chef-provision')
      expect(status).toBe(1)
      expect(output).toMatch(
        /chef_solo lacking: package\[gimp\] install \(cookbooks\/shelf\/lacking\/recipes\/default\.rb:2\): Chef::Exceptions::Package: No candidate version available for gimp/,
      )
      expect(output).toMatch(
        /The mirror does not have gimp: add it to packages: of debian \(appliance\.yml:\d+\)/,
      )
      expect(
        await readFile(join(folder, 'build/chef-provision/evidence/chef-stacktrace.out'), 'utf8'),
      ).toMatch(/gimp/)
    })

    test('a syntax error is found before anything boots', async () => {
      await writeFile(join(folder, 'cookbooks/shelf/lacking/recipes/default.rb'), "\npackage 'gimp' do\n")
      const { status, output } = await appliance('chef-provision')
      expect(status).toBe(1)
      expect(output).toMatch(/cookbooks\/shelf\/lacking\/recipes\/default\.rb:2:\d+: syntax error: /)
      expect(output).not.toMatch(/accel:/)
    })
  })
