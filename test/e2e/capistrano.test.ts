import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { capistrano } from '../../actions/chef-provision/capistrano/deploy.ts'
import type { Provisioning } from '../../actions/chef-provision/provisioning.ts'
import type { Guest } from '../../actions/lib/guest/guest.ts'
import type { Lock } from '../../actions/lib/lock/lock.ts'
import { mirrorAccess } from '../../actions/lib/mirror/guest-access.ts'
import { serveTree } from '../../actions/lib/mirror/serve.ts'
import { run } from '../../actions/lib/process/command.ts'
import { applicationRepository } from '../fixtures/application-repository.ts'
import { buildExample, exampleBuild, exampleFolder } from '../fixtures/example.ts'
import { unpackProvisioned } from '../fixtures/example-root.ts'
import { isInside, testsInside } from '../fixtures/inside.ts'
import { keptLog } from '../fixtures/machine-room.ts'
import { rootGuest, SSH_PORT } from '../fixtures/root-guest.ts'

jest.setTimeout(600_000)
const GEMS = join(tmpdir(), 'appliance-capistrano-gems')
if (process.env.APPLIANCE_TESTS !== 'full')
  test.skip('skipped, because its gems are compiled twice: script/test full', () => {})
else if (process.getuid?.() !== 0)
  test.skip('skipped, because a change of the root directory needs root', () => {})
else if (!isInside()) {
  await buildExample('chef-provision')
  // Outside, where RubyGems can be reached; the packages it leaves in cache/ are the mirror's.
  await rm(GEMS, { recursive: true, force: true })
  await run('gem', [
    'install',
    '--quiet',
    '--no-document',
    '--install-dir',
    GEMS,
    'capistrano:~> 3.19',
    'capistrano-bundler:~> 2.1',
  ])
  await testsInside(import.meta.url)
  await rm(GEMS, { recursive: true, force: true })
} else deployments()

/**
 * The example's application, deployed by a Capfile as anybody would write it to the machine that the example's Chef has
 * made; here that machine is only its files and sshd.
 */
function deployments(): void {
  const signal = new AbortController().signal
  const log = keptLog()
  let folder: string
  let opened: AsyncDisposable & { guest: Guest }
  let mirror: AsyncDisposable
  let lock: Lock
  let env: Record<string, string>

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'capistrano-'))
    await cp('test/fixtures/deploy', join(folder, 'deploy'), { recursive: true })
    lock = await mirrored(folder)
    const root = join(folder, 'root')
    await mkdir(root)
    await unpackProvisioned(exampleFolder, root)
    opened = await rootGuest(root, folder)
    mirror = await serveTree(join(folder, 'tree'), '127.0.0.1', 8080)
    const access = mirrorAccess(lock, 'http://127.0.0.1:8080')
    env = access.env
    for (const [path, content] of Object.entries(access.files)) {
      await mkdir(dirname(join(root, path)), { recursive: true })
      await writeFile(join(root, path), content)
    }
    // Without the gems that Chef has installed: the deployment is to bring its own.
    await inGuest(`rm -r /var/lib/gems/*
useradd --create-home --shell /bin/bash deploy
install -d -o deploy /srv/license-server /srv/license-server/shared /srv/license-server/shared/public
cp /opt/license-server/app/public/normalize.css /srv/license-server/shared/public`)
    for (const script of ['make-secrets.sh', 'create-database.sh'])
      await opened.guest.run('sh', {
        input: await readFile(`examples/license-server/first-boot/${script}`, 'utf8'),
      })
    await inGuest('install -d -o license-server /run/license-server; nginx')
  })
  afterAll(async () => {
    await opened?.guest.run('nginx -s stop; pg_ctlcluster 15 main stop', { allowFailure: true })
    await opened?.[Symbol.asyncDispose]()
    await mirror?.[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  const inGuest = async (commandLine: string) => (await opened.guest.run(commandLine)).stdout
  const deploy = (task: string, release: string) =>
    capistrano(
      {
        kind: 'capistrano',
        directory: join(folder, 'deploy'),
        deployStage: 'production',
        tasks: [task],
        gems: 'capistrano',
        trace: false,
        as: 'deploy',
        env: { RELEASE: release },
        title: 'deploy',
      },
      {
        work: {
          project: { lock, buildDirectory: join(folder, 'build') },
          log,
          signal,
          workDirectory: folder,
        },
        machine: { reach: async () => ({ host: '127.0.0.1', port: SSH_PORT, connectionProves: true }) },
        guest: opened.guest,
        env,
      } as unknown as Provisioning,
    )

  /** Starts what `current` is now, as the example's unit does, and waits until it answers behind nginx. */
  async function restarted(): Promise<unknown> {
    await inGuest(`pid=/run/license-server/puma.pid
if [ -e $pid ]; then was=$(cat $pid); kill $was; tail --pid=$was -f /dev/null; fi
cd /srv/license-server/current
export GEM_HOME=/srv/license-server/shared/gems BUNDLE_FROZEN=true LANG=C.UTF-8
setsid runuser -u license-server -- bundle exec puma --config config/puma.rb --pidfile $pid >> log/puma.log 2>&1 < /dev/null &`)
    for (const end = performance.now() + 120_000; ; await pause(200)) {
      const health = await fetch('http://127.0.0.1/health')
      if (health.status === 200) return await health.json()
      if (performance.now() > end)
        throw new Error(await inGuest('cat /srv/license-server/current/log/puma.log'))
    }
  }
  const running = (version: string) => ({ status: 'ok', database: 'ok', configured: true, version })
  const licence = async () => await (await fetch('http://127.0.0.1/licenses/ABCD-1234')).json()
  const releases = () =>
    inGuest('ls /srv/license-server/releases | wc -l; /srv/license-server/current/bin/license-server version')

  test('a release, from the repository in the mirror, by the user whom deploy.rb names', async () => {
    await deploy('deploy', 'main~1')
    expect(await releases()).toBe('1\n1.4.0\n')
    expect(
      await inGuest(
        'cd /srv/license-server/current; stat -c %U VERSION; cat STAMP; readlink public/normalize.css; ls /srv/license-server/shared/gems/gems',
      ),
    ).toMatch(
      /^deploy\ndeployed by deploy\n\/srv\/license-server\/shared\/public\/normalize.css\n(?!.*\bpuma).*\bsinatra-3/s,
    )
  })

  test('it runs: its command configures it, over HTTP it takes a licence', async () => {
    // Its host name is this computer's own here.
    await inGuest(
      'unshare --uts /srv/license-server/current/bin/license-server configure --hostname licenses.example.com --admin-password "correct horse"',
    )
    expect(await restarted()).toEqual(running('1.4.0'))
    const body = JSON.stringify({ key: 'ABCD-1234', product: 'desk' })
    expect((await fetch('http://127.0.0.1/licenses', { method: 'POST', body })).status).toBe(201)
  })

  test('a second one, and back: each runs, with what the first one was told', async () => {
    const registered = await licence()
    expect(registered).toMatchObject({ key: 'ABCD-1234', product: 'desk' })
    await deploy('deploy', 'main')
    expect(await releases()).toBe('2\n1.5.0\n')
    expect(await restarted()).toEqual(running('1.5.0'))
    expect(await licence()).toEqual(registered)
    await deploy('deploy:rollback', 'main')
    expect(await releases()).toBe('1\n1.4.0\n')
    expect(await restarted()).toEqual(running('1.4.0'))
    expect(await licence()).toEqual(registered)
  })

  test('what it is aborted for is told in one line', async () => {
    await expect(deploy('deploy', 'nowhere')).rejects.toMatchObject({
      code: 'guest-failed',
      message: expect.stringMatching(
        /^deploy failed: SSHKit::.* git stderr: fatal: not a valid object name: nowhere/,
      ),
    })
  })

  test('nobody can come in by that way afterwards, and the repository knows only its own address', async () => {
    expect(
      await inGuest('ls -A /home/deploy | grep ssh; ls /run/appliance; cat /srv/license-server/repo/config'),
    ).not.toMatch(/ssh|with-mirror|127\.0\.0\.1/)
    // Asked as its owner: git takes no settings from a repository of somebody else's.
    expect(
      await inGuest('runuser -u deploy -- git -C /srv/license-server/repo config remote.origin.url'),
    ).toBe('https://git.example.com/license-server.git\n')
  })
}

/** A mirror with Capistrano's gems, the application's and its repository, and the lock that would have made it. */
async function mirrored(folder: string): Promise<Lock> {
  const gems = join(folder, 'build/mirror-deps/tree/gem/capistrano')
  await cp(join(GEMS, 'cache'), join(gems, 'gems'), { recursive: true })
  await run('gem', ['generate_index', '--directory', gems])
  await cp(join(exampleBuild, 'mirror-deps/tree/gem/app'), join(folder, 'tree/gem/app'), { recursive: true })
  await applicationRepository(folder)
  await mkdir(join(folder, 'tree/git'))
  await rename(join(folder, 'license-server.git'), join(folder, 'tree/git/license-server.git'))
  const locked = (await readdir(join(gems, 'gems'))).map((file) => {
    const [, name, version] = /^(.+?)-(\d[\d.]*)\.gem$/.exec(file)!
    return { name, version, sha256: file }
  })
  const source = 'https://rubygems.org/'
  return {
    deb: [],
    rpm: [],
    file: [],
    git: [{ name: 'license-server', url: 'https://git.example.com/license-server.git', submodules: [] }],
    gem: [
      { name: 'capistrano', source, for: 'host', gems: locked, git: [] },
      { name: 'app', source, for: 'guest', gems: [], git: [] },
    ],
    tools: { deb: [], gem: [] },
  } as unknown as Lock
}
