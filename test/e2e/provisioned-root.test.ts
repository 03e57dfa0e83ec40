import {
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { openStepLogin } from '../../actions/chef-provision/capistrano/login.ts'
import { leaveRunning } from '../../actions/chef-provision/debugging.ts'
import { leaveNothing } from '../../actions/chef-provision/farewell.ts'
import { setPackageSources } from '../../actions/chef-provision/package-sources.ts'
import type { Provisioning } from '../../actions/chef-provision/provisioning.ts'
import { download } from '../../actions/chef-provision/steps/download.ts'
import { upload } from '../../actions/chef-provision/steps/upload.ts'
import { waitFor } from '../../actions/chef-provision/steps/wait-for.ts'
import { ApplianceError } from '../../actions/lib/errors/error.ts'
import type { Guest } from '../../actions/lib/guest/guest.ts'
import { buildKey } from '../../actions/lib/guest/key.ts'
import type { Machine } from '../../actions/lib/hypervisor/hypervisor.ts'
import type { MachineNetwork } from '../../actions/lib/network/network.ts'
import { run } from '../../actions/lib/process/command.ts'
import type { Project } from '../../actions/lib/stage/stage.ts'
import { buildExample, exampleFolder } from '../fixtures/example.ts'
import { unpackBase } from '../fixtures/example-root.ts'
import { isInside, testsInside } from '../fixtures/inside.ts'
import { keptLog } from '../fixtures/machine-room.ts'
import { rootGuest, SSH_PORT } from '../fixtures/root-guest.ts'

jest.setTimeout(600_000)
if (process.getuid?.() !== 0)
  test.skip('skipped, because a change of the root directory needs root', () => {})
else if (!isInside()) {
  await buildExample('veewee-basebox')
  await testsInside(import.meta.url)
} else provisionedRoot()

/** What the stage does in a guest, done in the example's base machine, which is only its files here. */
function provisionedRoot(): void {
  const signal = new AbortController().signal
  const log = keptLog()
  let folder: string
  let root: string
  let opened: AsyncDisposable & { guest: Guest }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'provisioned-'))
    root = join(folder, 'root')
    await mkdir(root)
    await unpackBase(exampleFolder, root)
    opened = await rootGuest(root, folder)
  })
  afterAll(async () => {
    await opened?.[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  const provisioning = () => ({ guest: opened.guest, work: { signal, log } }) as unknown as Provisioning
  const inGuest = async (commandLine: string) => (await opened.guest.run(commandLine)).stdout

  test('of an upload only what the guest does not have as it should be is sent', async () => {
    const app = join(folder, 'app')
    await cp(resolve('examples/license-server/app'), app, { recursive: true })
    const send = async (more: { mode?: number; owner?: string } = {}) =>
      (await upload({ kind: 'upload', from: app, to: '/opt/app', title: 'upload', ...more }, provisioning()))
        ?.upload
    const all = (await send())!.sent
    expect(await send()).toEqual({ sent: 0, there: all })
    await inGuest(
      'echo other > /opt/app/VERSION; rm /opt/app/config.ru; chmod 600 /opt/app/bin/license-server; ln -sfn away /opt/app/link',
    )
    await symlink('VERSION', join(app, 'link'))
    expect((await send())!.sent).toBe(4)
    expect(
      await inGuest('cat /opt/app/VERSION; stat -c %a /opt/app/bin/license-server; readlink /opt/app/link'),
    ).toBe(`${await readFile(join(app, 'VERSION'), 'utf8')}755\nVERSION\n`)
    const files = (await send({ mode: 0o640, owner: 'daemon' }))!.sent
    expect(files).toBeGreaterThan(10)
    expect(await send({ mode: 0o640, owner: 'daemon' })).toMatchObject({ sent: 0 })
    expect(await inGuest('stat -c "%U %a" /opt/app/VERSION /opt/app/bin/license-server')).toBe(
      'daemon 640\ndaemon 750\n',
    )
    expect((await send({ mode: 0o4754 }))!.sent).toBe(files)
    expect(await send({ mode: 0o4754 })).toMatchObject({ sent: 0 })
    expect(await inGuest('stat -c "%U %a" /opt/app/VERSION /opt/app/bin/license-server')).toBe(
      'root 4754\nroot 4755\n',
    )
  })

  test('of what Chef gets, symlinks to other places are sent as what they lead to', async () => {
    const shelf = join(folder, 'shelf')
    await mkdir(join(folder, 'elsewhere/recipes'), { recursive: true })
    await mkdir(join(shelf, 'own'), { recursive: true })
    await writeFile(join(folder, 'elsewhere/recipes/default.rb'), 'a')
    await writeFile(join(shelf, 'own/metadata.rb'), 'b')
    await symlink('../elsewhere', join(shelf, 'other'))
    await symlink('nowhere', join(shelf, '.#lock'))
    await opened.guest.upload(shelf, '/srv/shelf', { owner: 'root', group: 'root', follow: true })
    expect(await inGuest('cd /srv/shelf; find . -type f -o -type l | sort')).toBe(
      './other/recipes/default.rb\n./own/metadata.rb\n',
    )
    await mkdir(join(folder, 'none'))
    await opened.guest.upload(join(folder, 'none'), '/srv/none', { follow: true })
    expect(await inGuest('ls -A /srv/none')).toBe('')
  })

  test.each([
    [
      'a file without an end of its last line',
      'printf "%s" "$customer" > "$keys"; chown shopper: "$keys"; chmod 640 "$keys"',
    ],
    [
      'a file that another user owns',
      'echo "$customer" > "$keys"; chown root:daemon "$keys"; chmod 644 "$keys"',
    ],
    ['an empty file', ': > "$keys"'],
    ['no file', ':'],
    ['no folder', 'rmdir "$home/.ssh"'],
  ])('Capistrano’s login leaves the customer’s keys as they were: %s', async (_, make) => {
    const customer =
      'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMwUyQLpG0Yh9xTUFqPzGWBEMmyFH0c3Dp9s1NcG6XkK the customer'
    await inGuest(`userdel -rf shopper 2>/dev/null; useradd -m shopper; mkdir -p /run/appliance
home=/home/shopper keys=/home/shopper/.ssh/authorized_keys customer='${customer}'
mkdir -m 700 "$home/.ssh"; chown shopper: "$home/.ssh"; ${make}`)
    const state = async () =>
      await inGuest(
        `cd /home/shopper; find .ssh -printf '%p %U %G %m %s\\n' 2>&1 | sort; [ ! -e .ssh/authorized_keys ] || sha256sum .ssh/authorized_keys`,
      )
    const before = await state()
    const login = await openStepLogin(
      opened.guest,
      'shopper',
      { host: '127.0.0.1', port: SSH_PORT, connectionProves: true },
      { MIRROR: 'here' },
      await mkdtemp(join(folder, 'login-')),
    )
    try {
      const ssh = ['-F', join(login.home, '.ssh/config'), 'shop.example.com', 'echo $USER $MIRROR']
      expect((await run('ssh', ssh)).stdout).toBe('shopper here\n')
    } finally {
      await login[Symbol.asyncDispose]()
    }
    expect(await state()).toBe(before)
  })

  test('a machine that is kept says how to get in, and that leads in', async () => {
    const kept = keptLog()
    const machine = {
      reach: async () => ({ host: '127.0.0.1', port: SSH_PORT, connectionProves: true }),
    } as unknown as Machine
    const network = () => ({ kind: 'private' }) as unknown as MachineNetwork
    const thrown = new ApplianceError('guest-failed', 'the step failed')
    await leaveRunning(machine, thrown, 2000, await buildKey(folder), { log: kept, signal, network })
    expect(kept.lines.slice(0, 2)).toEqual([
      'the step failed',
      'the machine is left running for 2.0 s; to look around in it:',
    ])
    const entered = await run('sh', ['-c', `${kept.lines[2]} 'echo inside; ls -d /root/.ssh'`])
    expect(entered.stdout).toBe('inside\n/root/.ssh\n')
  })

  test('a symlink that a step names is followed, up and down; those within are kept', async () => {
    const give = async (from: string, to: string, more: { mode?: number } = {}) =>
      (
        await upload(
          { kind: 'upload', from: join(folder, from), to, title: 'upload', ...more },
          provisioning(),
        )
      )?.upload
    await mkdir(join(folder, 'rel1/bin'), { recursive: true })
    await writeFile(join(folder, 'rel1/bin/run'), '1')
    await symlink('bin/run', join(folder, 'rel1/start'))
    await symlink('rel1', join(folder, 'current'))
    await symlink('rel1/bin/run', join(folder, 'latest'))
    await inGuest('mkdir -p /srv/app')
    expect(await give('current', '/srv/app')).toEqual({ sent: 3, there: 0 })
    await writeFile(join(folder, 'rel1/bin/run'), '2')
    expect(await give('current', '/srv/app')).toEqual({ sent: 1, there: 2 })
    expect(await give('latest', "/srv/it's one")).toEqual({ sent: 1, there: 0 })
    expect(await give('latest', "/srv/it's one")).toEqual({ sent: 0, there: 1 })
    expect(await give('latest', "/srv/it's one", { mode: 0o4755 })).toEqual({ sent: 1, there: 0 })
    expect(await give('latest', "/srv/it's one", { mode: 0o4755 })).toEqual({ sent: 0, there: 1 })
    await inGuest(`ln -s "it's one" /srv/link; ln -s nowhere /srv/app/dangling; ln -s app /srv/current`)
    const files = join(folder, 'files')
    for (const [from, to] of [
      ['/srv/current', 'app'],
      ['/srv/link', 'one'],
    ] as const)
      await download({ kind: 'download', from, to, title: 'download' }, { ...provisioning(), files })
    expect(await readFile(join(files, 'one'), 'utf8')).toBe('2')
    expect(await readFile(join(files, 'app/bin/run'), 'utf8')).toBe('2')
    for (const [name, target] of [
      ['start', 'bin/run'],
      ['dangling', 'nowhere'],
    ] as const)
      expect(await readlink(join(files, 'app', name))).toBe(target)
  })

  test('copying ends when it has taken as long as it may', async () => {
    await inGuest('truncate -s 8G /srv/sparse')
    const from = { from: '/srv/sparse', to: 'x', title: 'the step', timeout: 500 }
    await expect(
      download({ kind: 'download', ...from }, { ...provisioning(), files: folder }),
    ).rejects.toMatchObject({ code: 'timeout', message: 'the step took longer than 0.5 s' })
    expect((await readdir(folder)).filter((name) => name.startsWith('.download-'))).toEqual([])
    const to = { from: join(folder, 'rel1'), to: '/srv/late', title: 'the step', timeout: 1 }
    await expect(upload({ kind: 'upload', ...to }, provisioning())).rejects.toMatchObject({ code: 'timeout' })
  })

  test('a port is waited for, and what is listened at instead is told', async () => {
    const wait = (port: number, timeout: number) =>
      waitFor({ kind: 'wait_for', port, timeout, title: 'wait' }, provisioning())
    await wait(SSH_PORT, 60_000)
    await expect(wait(99, 1500)).rejects.toThrow(
      /nobody listens at port 99 after 1\.5 s; listened at: .*\b2222\b/,
    )
    await expect(
      waitFor({ kind: 'wait_for', file: '/etc/nothing', timeout: 1500, title: 'wait' }, provisioning()),
    ).rejects.toThrow(/^wait: there is no \/etc\/nothing after 1\.5 s; /)
    const silent = {
      kind: 'wait_for',
      file: '/etc/nothing',
      sensitive: true,
      timeout: 1500,
      title: 'wait',
    } as const
    await expect(waitFor(silent, provisioning())).rejects.toThrow(
      /^wait: there is no \/etc\/nothing after 1\.5 s$/,
    )
  })

  test('what the build left is found wherever it is, all of it at once', async () => {
    const project = {
      buildDirectory: folder,
      spec: {
        packageSources: 'upstream',
        provision: [{ kind: 'chef_solo', dataBagSecret: { env: 'BAG_SECRET' } }],
      },
    } as unknown as Project
    process.env.BAG_SECRET = 'a secret that only the tests have'
    const leave = () => leaveNothing(opened.guest, project, 'http://mirror.internal', signal, log)
    await inGuest(
      'echo MIRROR=http://mirror.internal > /etc/left.env; echo http://mirror.internal/deb/x > /etc/left.list; echo http://mirror.internal.example.com/ > /etc/right.list; mkdir -p /opt/chef /opt/rbenv/versions/3.3.0/lib/ruby/gems/3.3.0/gems/chef-18.4.12 /srv/data; echo "x a secret that only the tests have x" > /srv/data/secret; printf "\\000\\001a secret that only the tests have\\000" > /var/log/binary; echo a secret that only the tests have > "/boot/in a line"; cp /root/.ssh/authorized_keys /home/copy; mkdir -p /etc/chef /var/tmp/appliance/chef',
    )
    await expect(leave()).rejects.toMatchObject({
      code: 'check-failed',
      message: `Chef stayed on the disk: /opt/chef, /opt/rbenv/versions/3.3.0/lib/ruby/gems/3.3.0/gems/chef-18.4.12
the mirror’s address stayed on the disk, in /etc/left.env, /etc/left.list
the build’s SSH key stayed on the disk, in /home/copy
the secret of the data bags stayed on the disk, in /boot/in a line, /srv/data/secret, /var/log/binary`,
    })
    await inGuest(
      'rm -r /etc/left.env /etc/left.list /opt/chef /opt/rbenv /srv/data /home/copy /var/log/binary "/boot/in a line"',
    )
    // Where git has fetched from last is nothing anybody chose.
    await inGuest(
      `mkdir -p /srv/shop/repo /srv/other && echo "1234 branch 'main' of http://mirror.internal/git/shop" > /srv/shop/repo/FETCH_HEAD && echo "1234 branch 'main' of https://example.com/other" > /srv/other/FETCH_HEAD`,
    )
    await inGuest(
      'useradd -m bundling; cd /home/bundling; mkdir -p .local/share/gem/specs/mirror.internal%80/gem/app .bundle/cache/compact_index .gem; touch .bundle/config; ln -s /nowhere .gem/specs',
    )
    await inGuest('rm -rf /run/appliance; mount --bind /run /run && mount -o remount,bind,ro /run')
    await expect(leave()).rejects.toMatchObject({
      code: 'guest-failed',
      message: expect.stringMatching(/looking for what the build left.*mktemp/s),
    })
    await inGuest('umount /run')
    await leave()
    expect(await inGuest('cd /home/bundling; find .local .bundle')).not.toMatch(/mirror|cache/)
    expect(await inGuest('ls -A /home/bundling/.bundle')).toBe('config\n')
    expect(await inGuest('ls -A /home/bundling/.gem')).toBe('')
    const there = (path: string) =>
      stat(join(root, path)).then(
        () => true,
        () => false,
      )
    expect(await there('srv/other/FETCH_HEAD')).toBe(true)
    for (const path of ['etc/chef', 'var/tmp/appliance', 'root/.ssh', 'srv/shop/repo/FETCH_HEAD'])
      expect([path, await there(path)]).toEqual([path, false])
  })

  test('apt asks at the customer’s whom the spec says, and nobody else', async () => {
    const set = (sources: Project['spec']['packageSources']) =>
      setPackageSources(opened.guest, sources, signal)
    const asked = async () => {
      const format = "--no-release-info --format '$(REPO_URI)' 'Created-By: Packages'"
      return [...new Set((await inGuest(`apt-get indextargets ${format}`)).trim().split('\n'))].sort()
    }
    // What a recipe may have added, in either form.
    await inGuest(
      'echo deb http://left.example.com ./ > /etc/apt/sources.list; echo deb http://left.example.com x main > /etc/apt/sources.list.d/left.list',
    )
    await set('upstream')
    expect(await asked()).toEqual([
      'http://left.example.com/',
      'https://deb.debian.org/debian-security/',
      'https://deb.debian.org/debian/',
    ])

    const [sources, key] = [join(folder, 'vendor.sources'), join(folder, 'vendor.asc')]
    const signedBy = '/etc/apt/keyrings/vendor.asc'
    await writeFile(
      sources,
      `Types: deb\nURIs: https://packages.example.com/apt\nSuites: ./\nSigned-By: ${signedBy}\n`,
      { mode: 0o600 },
    )
    await writeFile(key, '-----BEGIN PGP PUBLIC KEY BLOCK-----\n', { mode: 0o600 })
    await set({ files: [sources, key] })
    expect(await asked()).toEqual(['https://packages.example.com/apt/'])
    // apt reads them as a user of its own.
    expect(await inGuest(`stat -c '%U %a' ${signedBy} /etc/apt/sources.list.d/vendor.sources`)).toBe(
      'root 644\nroot 644\n',
    )

    await set('none')
    expect(await asked()).toEqual([''])
  })
}
