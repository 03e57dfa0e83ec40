import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { capistrano } from '../../actions/chef-provision/capistrano/deploy.ts'
import type { Provisioning } from '../../actions/chef-provision/provisioning.ts'
import type { Guest } from '../../actions/lib/guest/guest.ts'
import type { Lock } from '../../actions/lib/lock/lock.ts'
import { mirrorAccess } from '../../actions/lib/mirror/guest-access.ts'
import { serveTree } from '../../actions/lib/mirror/serve.ts'
import { run } from '../../actions/lib/process/command.ts'
import { buildExample, exampleFolder } from '../fixtures/example.ts'
import { unpackBase } from '../fixtures/example-root.ts'
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
  await buildExample()
  // Outside, where RubyGems can be reached; the packages it leaves in cache/ are the mirror's.
  await rm(GEMS, { recursive: true, force: true })
  await run('gem', [
    'install',
    '--quiet',
    '--no-document',
    '--install-dir',
    GEMS,
    'capistrano',
    '-v',
    '~> 3.19',
  ])
  await testsInside(import.meta.url)
  await rm(GEMS, { recursive: true, force: true })
} else deployments()

/** A Capfile as anybody would write it, against the example's base machine, which is only its files and sshd here. */
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
    await unpackBase(exampleFolder, root)
    opened = await rootGuest(root, folder)
    mirror = await serveTree(join(folder, 'tree'), '127.0.0.1', 8080)
    const access = mirrorAccess(lock, 'http://127.0.0.1:8080')
    env = access.env
    for (const [path, content] of Object.entries(access.files)) {
      await mkdir(dirname(join(root, path)), { recursive: true })
      await writeFile(join(root, path), content)
    }
    await inGuest(
      'useradd --create-home --shell /bin/bash deploy; install -d -o deploy /srv/shop /srv/shop/shared /srv/shop/shared/config; echo s > /srv/shop/shared/config/secret.txt',
    )
  })
  afterAll(async () => {
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
  const state = () => inGuest('ls /srv/shop/releases | wc -l; cat /srv/shop/current/VERSION')

  test('a release, from the repository in the mirror, by the user whom deploy.rb names', async () => {
    await deploy('deploy', 'main~1')
    expect(await state()).toBe('1\n1\n')
    expect(
      await inGuest(
        'stat -c %U /srv/shop/current/VERSION; cat /srv/shop/current/STAMP /srv/shop/current/config/secret.txt',
      ),
    ).toBe('deploy\ndeployed by deploy\ns\n')
  })

  test('a second one, and back', async () => {
    await deploy('deploy', 'main')
    expect(await state()).toBe('2\n2\n')
    await deploy('deploy:rollback', 'main')
    expect(await state()).toBe('1\n1\n')
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
      await inGuest('ls -A /home/deploy | grep ssh; ls /run/appliance; cat /srv/shop/repo/config'),
    ).not.toMatch(/ssh|with-mirror|127\.0\.0\.1/)
    // Asked as its owner: git takes no settings from a repository of somebody else's.
    expect(await inGuest('runuser -u deploy -- git -C /srv/shop/repo config remote.origin.url')).toBe(
      'https://git.example.com/shop.git\n',
    )
  })
}

/** A mirror with Capistrano's gems and the repository, and the lock that would have made it. */
async function mirrored(folder: string): Promise<Lock> {
  const gems = join(folder, 'build/mirror-deps/tree/gem/capistrano')
  await cp(join(GEMS, 'cache'), join(gems, 'gems'), { recursive: true })
  await run('gem', ['generate_index', '--directory', gems])
  const work = join(folder, 'upstream')
  await mkdir(join(work, 'config'), { recursive: true })
  const git = (...args: string[]) =>
    run('git', ['-C', work, '-c', 'user.name=x', '-c', 'user.email=x@example.com', ...args])
  await run('git', ['init', '-q', '-b', 'main', work])
  for (const release of ['1', '2']) {
    await writeFile(join(work, 'VERSION'), `${release}\n`)
    await writeFile(join(work, 'config/settings'), '\n')
    await git('add', '-A')
    await git('commit', '-q', '-m', release)
  }
  await run('git', ['clone', '-q', '--bare', work, join(folder, 'tree/git/shop.git')])
  const locked = (await readdir(join(gems, 'gems'))).map((file) => {
    const [, name, version] = /^(.+?)-(\d[\d.]*)\.gem$/.exec(file)!
    return { name, version, sha256: file }
  })
  return {
    deb: [],
    rpm: [],
    file: [],
    git: [{ name: 'shop', url: 'https://git.example.com/shop.git', submodules: [] }],
    gem: [{ name: 'capistrano', source: 'https://rubygems.org/', for: 'host', gems: locked, git: [] }],
    tools: { deb: [], gem: [] },
  } as unknown as Lock
}
