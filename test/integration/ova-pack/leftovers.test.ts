import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { run } from '../../../actions/lib/process/command.ts'
import { type Generalisation, skippedFaults } from '../../../actions/ova-pack/generalise/operations.ts'
import { seal } from '../../../actions/ova-pack/seal.ts'
import { quietLog } from './quiet-log.ts'
import { debugfs, sampleDisk } from './sample-disk.ts'

/** Kinds of leftovers, each with a mark of its own: kind → path. */
const leftovers: Record<string, string> = {
  'host key': '/etc/ssh/ssh_host_rsa_key',
  'snakeoil key': '/etc/ssl/private/ssl-cert-snakeoil.key',
  'key of the build': '/root/.ssh/authorized_keys',
  'known hosts': '/root/.ssh/known_hosts',
  'private key of a user': '/home/ada/.ssh/id_ed25519',
  'GnuPG key': '/root/.gnupg/private-keys-v1.d/A1.key',
  'shell history': '/root/.bash_history',
  'database history': '/home/ada/.psql_history',
  netrc: '/root/.netrc',
  'git credentials': '/home/ada/.git-credentials',
  'AWS credentials': '/root/.aws/credentials',
  'Maven password': '/root/.m2/settings.xml',
  'Subversion password': '/home/ada/.subversion/auth/svn.simple/d41d8cd9',
  'git credentials of XDG': '/home/ada/.config/git/credentials',
  'network of Ubuntu’s installer': '/etc/cloud/cloud.cfg.d/50-curtin-networking.cfg',
  'registry login': '/root/.docker/config.json',
  'cluster access': '/root/.kube/config',
  'GitHub login': '/root/.config/gh/hosts.yml',
  'PostgreSQL password': '/root/.pgpass',
  'MySQL password': '/root/.my.cnf',
  'gem credentials': '/root/.gem/credentials',
  'Kerberos keytab': '/etc/krb5.keytab',
  'subscription certificate': '/etc/pki/consumer/key.pem',
  'salt key': '/etc/salt/pki/minion/minion.pem',
  'Puppet certificate': '/etc/puppetlabs/puppet/ssl/private_keys/x.pem',
  'SSSD cache': '/var/lib/sss/db/cache_x.ldb',
  'Samba secrets': '/var/lib/samba/private/secrets.tdb',
  'DHCP lease': '/var/lib/dhcp/dhclient.eth0.leases',
  'NetworkManager key': '/var/lib/NetworkManager/secret_key',
  journal: '/var/log/journal/0123456789abcdef0123456789abcdef/system.journal',
  log: '/var/log/app/production.log.1',
  'cloud-init data': '/var/lib/cloud/instances/i-1/user-data.txt',
  'random seed': '/var/lib/systemd/random-seed',
  'credential secret': '/var/lib/systemd/credential.secret',
  'crash dump': '/var/crash/core.1',
  'temporary file': '/var/tmp/build-secret',
  mail: '/var/mail/root',
  'Chef key': '/etc/chef/client.pem',
  'kickstart file': '/root/anaconda-ks.cfg',
  'backup of shadow': '/etc/shadow-',
  'swap file': '/swapfile',
  'Docker identity': '/etc/docker/key.json',
}
const mark = (kind: string) => `left-over-${kind.replaceAll(/\W/g, '-')}-7f3a`

let folder: string
let provisioned: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ova-leftovers-'))
  provisioned = await sampleDisk(join(folder, 'provisioned.raw'), {
    ...Object.fromEntries(
      Object.entries(leftovers).map(([kind, path]) => [path, `${mark(kind)}\n`.repeat(20)]),
    ),
    '/etc/passwd': 'root:x:0:0::/root:/bin/bash\nada:x:1000:1000::/home/ada:/bin/bash\n',
    '/etc/shadow': 'root:$y$j9T$builder:19000:0:99999:7:::\nada:!:19000:0:99999:7:::\n',
    '/etc/iscsi/initiatorname.iscsi': `InitiatorName=iqn.1993-08.org.debian:01:${mark('iscsi')}\n`,
    '/usr/lib/systemd/system/x': '',
    '/usr/lib/os-release': 'ID=debian\n',
    '/srv/cache/pack': 'x',
    '/root/.npmrc': `registry=https://npm.example.test/\n//npm.example.test/:_authToken=${mark('npm')}\n`,
    '/home/ada/.bundle/config': `BUNDLE_PATH__SYSTEM: "true"\nBUNDLE_GEMS__EXAMPLE__TEST: "ada:${mark('bundler')}"\n`,
    '/home/ada/.ssh/deploy': `-----BEGIN OPENSSH PRIVATE KEY-----\n${mark('deploy')}\n`,
    '/home/ada/.ssh/config': 'Host x\n',
  })
  const secret = join(folder, 'deleted')
  await writeFile(secret, `token ${mark('deleted file')}\n`.repeat(500))
  await debugfs(provisioned, `write ${secret} deleted`, 'rm deleted')
  expect((await readFile(provisioned)).includes(mark('deleted file'))).toBe(true)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function sealed(
  name: string,
  more: Partial<Generalisation>,
  change?: (disk: string) => Promise<unknown>,
) {
  const disk = join(folder, name)
  await cp(provisioned, disk)
  await change?.(disk)
  const log = quietLog()
  const report = await seal({
    disk,
    tools: { run },
    scratch: join(folder, `${name}.scratch`),
    generalisation: { hostname: 'good', mirrorUrls: ['http://mirror'], buildUser: undefined, ...more },
    needles: [],
    allowed: [],
    log,
    signal: new AbortController().signal,
  })
  return { disk, report, bytes: await readFile(disk), lines: log.lines }
}

test(`nothing of ${Object.keys(leftovers).length} kinds of leftovers is anywhere on the disk, and the report names each`, async () => {
  const { report, bytes, disk } = await sealed('all', {})
  for (const kind of [...Object.keys(leftovers), 'deleted file', 'iscsi', 'npm', 'bundler', 'deploy'])
    expect([kind, bytes.includes(mark(kind))]).toEqual([kind, false])
  // What is no secret in the same files stays.
  expect(await debugfs(disk, 'cat /root/.npmrc')).toBe('registry=https://npm.example.test/\n')
  expect(await debugfs(disk, 'cat /home/ada/.bundle/config')).toBe('BUNDLE_PATH__SYSTEM: "true"\n')
  expect(await debugfs(disk, 'cat /home/ada/.ssh/config')).toBe('Host x\n')
  const changed = report.operations.flatMap((operation) => operation.changed)
  // A folder that goes takes its files along, and names them.
  expect(Object.values(leftovers).filter((path) => !changed.includes(path))).toEqual([])
})

test('the spec skips an operation by its name and adds its own', async () => {
  const { bytes, report } = await sealed('choice', {
    skip: ['mail'],
    extra: [{ remove: '/srv/cache/*', reason: 'It is ours' }],
  })
  expect(bytes.includes(mark('mail'))).toBe(true)
  expect(report.operations.at(-1)).toEqual({
    name: 'extra: /srv/cache/*',
    reason: 'It is ours',
    changed: ['/srv/cache/pack'],
  })
  expect(skippedFaults(['mial', 'mail'])).toEqual([
    { message: 'pack.seal.skip: unknown mial; did you mean mail?' },
  ])
})

describe('growth', () => {
  const unit = '/etc/systemd/system/multi-user.target.wants/appliance-grow.service'
  const file = join(tmpdir(), 'ova-leftovers-program')
  beforeAll(() => writeFile(file, 'x'))
  afterAll(() => rm(file))
  const systemd = ['cd /usr/lib/systemd', `write ${file} systemd`]
  const systemdRepart = ['cd /', 'mkdir usr/bin', 'cd /usr/bin', `write ${file} systemd-repart`]

  test('is for machines with systemd, which are told what they lack for it', async () => {
    const without = await sealed('no-systemd', {})
    expect(await debugfs(without.disk, `stat ${unit}`)).toContain('File not found')
    expect(without.lines.join()).not.toContain('partition larger')
    const poor = await sealed('poor', {}, (disk) => debugfs(disk, ...systemd))
    expect(await debugfs(poor.disk, `stat ${unit}`)).toContain('Type: symlink')
    expect(poor.lines.join()).toContain('nothing on the disk can make a partition larger')
    const rich = await sealed('rich', {}, (disk) => debugfs(disk, ...systemd, ...systemdRepart))
    expect(rich.lines.join()).not.toContain('partition larger')
    const skipped = await sealed('skipped', { skip: ['growth'] }, (disk) => debugfs(disk, ...systemd))
    expect(await debugfs(skipped.disk, `stat ${unit}`)).toContain('File not found')
    expect(skipped.lines.join()).not.toContain('partition larger')
  })
})

describe('SELinux', () => {
  const file = join(tmpdir(), 'ova-leftovers-selinux')
  const guest = async (state: string) => {
    await writeFile(file, `# SELINUX=enforcing\nSELINUX=${state}\nSELINUXTYPE=targeted\n`)
    return (disk: string) =>
      debugfs(
        ...[disk, 'mkdir /etc/selinux', 'mkdir /etc/selinux/targeted', 'mkdir /etc/selinux/targeted/policy'],
        ...['cd /etc/selinux', `write ${file} config`, 'cd targeted/policy', `write ${file} policy.33`],
      )
  }
  afterAll(() => rm(file, { force: true }))

  test('has the first boot label everything, unless it is off or the spec leaves that out', async () => {
    const found = async (name: string, state: string, skip: string[] = []) => {
      const { disk, report } = await sealed(name, { skip }, await guest(state))
      const told = report.operations.find((operation) => operation.name === 'SELinux labels')
      return [told?.changed, (await debugfs(disk, 'stat /.autorelabel')).includes('Type: regular')]
    }
    expect(await found('enforcing', 'enforcing')).toEqual([['/.autorelabel'], true])
    expect(await found('permissive', 'permissive')).toEqual([['/.autorelabel'], true])
    expect(await found('disabled', 'disabled')).toEqual([undefined, false])
    expect(await found('left', 'enforcing', ['SELinux labels'])).toEqual([undefined, false])
  })

  test('is not there without a policy', async () => {
    const { report } = await sealed('no-policy', {})
    expect(report.operations.map(({ name }) => name)).not.toContain('SELinux labels')
  })
})

describe('root', () => {
  test('keeps the password that it was built with only under protest', async () => {
    const protest = /root keeps the password it was built with/
    const built = { buildUser: 'root' }
    expect((await sealed('kept-password', built)).lines.join('\n')).toMatch(protest)
    const locked = await sealed('locked-password', { ...built, root: { kind: 'locked' } })
    expect(locked.lines.join('\n')).not.toMatch(protest)
  })

  test('is locked', async () => {
    const { disk } = await sealed('locked', { root: { kind: 'locked' } })
    expect(await debugfs(disk, 'cat /etc/shadow')).toBe(
      'root:!*:19000:0:99999:7:::\nada:!:19000:0:99999:7:::\n',
    )
  })

  test('has a password', async () => {
    const { disk } = await sealed('password', { root: { kind: 'password', hash: '$6$salt$h&$1sh' } })
    expect(await debugfs(disk, 'cat /etc/shadow')).toContain('root:$6$salt$h&$1sh:19000:')
  })

  test("lets a key in, and the build's no more", async () => {
    const { disk } = await sealed('key', { root: { kind: 'key', lines: 'ssh-ed25519 AAAA admin\n' } })
    expect(await debugfs(disk, 'cat /root/.ssh/authorized_keys')).toBe('ssh-ed25519 AAAA admin\n')
    expect(await debugfs(disk, 'stat /root/.ssh/authorized_keys')).toMatch(/Mode: +0600/)
  })

  test('is asked for at the first console', async () => {
    const { disk } = await sealed('asks', { root: { kind: 'asks' } })
    expect(await debugfs(disk, 'cat /etc/systemd/system/getty@tty1.service.d/appliance.conf')).toContain(
      '/usr/lib/appliance/ask-root-password',
    )
    const script = join(folder, 'ask')
    await writeFile(script, await debugfs(disk, 'cat /usr/lib/appliance/ask-root-password'))
    await run('sh', ['-n', script])
  })
})

test.each([
  ['an AWS access key', 'AKIAQ3EGRZ7LMPT4XW2V'],
  ['a GitHub token', 'ghp_a8Kd02mZqLrX7vTn5YcB3sWfEjHu6PgRi19o'],
  ['a GitLab token', 'glpat-Zk3_x9Qa7Lm2Vb8RtYw1'],
  ['a Stripe key', ['sk', 'live', 'a8Kd02mZqLrX7vTn5YcB3sWf'].join('_')],
  ['a PuTTY private key', 'PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n'],
])('%s that provisioning left is refused with its place', async (name, text) => {
  const file = join(folder, 'token')
  await writeFile(file, `export KEY=${text}\n`)
  const attempt = sealed(`token-${name.replaceAll(/\W/g, '')}`, {}, (disk) =>
    debugfs(disk, 'cd /srv', `write ${file} settings.sh`),
  )
  await expect(attempt).rejects.toMatchObject({
    code: 'check-failed',
    message: expect.stringContaining(`${name} in /srv/settings.sh`),
  })
})

test('what only looks like a token is let be: examples in manuals, patterns of scanners', async () => {
  const file = join(folder, 'manual.txt')
  await writeFile(
    file,
    'AKIAIOSFODNN7EXAMPLE AKIA[A-Z0-9]{16} ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx MAKIAQ3EGRZ7LMPT4XW2V\n',
  )
  await sealed('examples', {}, (disk) => debugfs(disk, 'cd /srv', `write ${file} manual.txt`))
})
