import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { run } from '../../../actions/lib/process/command.ts'
import { lookAtDisk } from '../../../actions/veewee-basebox/look/look.ts'
import { type Files, sampleDisk } from '../ova-pack/sample-disk.ts'

jest.setTimeout(60_000)

const tools = { directory: '/', key: '', run }
const { signal } = new AbortController()
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'appliance-look-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const stanza = (name: string, kilobytes: number, status = 'install ok installed') =>
  `Package: ${name}\nStatus: ${status}\nVersion: 1.0\nInstalled-Size: ${kilobytes}\n`

const modules = '/usr/lib/modules/6.1.0-1-amd64'
/** A stock machine: its kernel brings drivers for every hypervisor. */
const stock: Files = {
  '/var/lib/dpkg/status': [
    stanza('linux-image-6.1.0-1-amd64', 400_000),
    stanza('bash', 7000),
    stanza('open-vm-tools', 3000, 'deinstall ok config-files'),
  ].join('\n'),
  '/var/lib/dpkg/info/linux-image-6.1.0-1-amd64.list': `/lib/modules/6.1.0-1-amd64/kernel/vboxguest.ko\n${modules}/kernel/hv_vmbus.ko\n`,
  [`${modules}/kernel/vboxguest.ko`]: 'x',
  [`${modules}/kernel/hv_vmbus.ko`]: 'x',
}

let count = 0
async function look(files: Files, allowed: readonly string[] = []): Promise<string> {
  const disk = await sampleDisk(join(folder, `disk-${++count}.raw`), files)
  return await lookAtDisk({ disk, allowed, tools, scratch: join(folder, String(count)), signal })
}

test('a stock machine passes, whatever its kernel brings; the table names what is biggest', async () => {
  const table = await look(stock)
  expect(table).toMatch(/^### The base machine: 2 packages, \d+(\.\d+)? [kM]B on disk$/m)
  expect(table).toMatch(/^\| linux-image-6\.1\.0-1-amd64 \| 1\.0 \| 4\d\d MB \|$/m)
})

const withTools: Files = {
  ...stock,
  '/var/lib/dpkg/status': `${stock['/var/lib/dpkg/status']}\n${stanza('open-vm-tools', 3000).replace('1.0', '12')}`,
  '/var/lib/dpkg/info/open-vm-tools.list': '/usr/bin/vmtoolsd\n/lib/systemd/system/open-vm-tools.service\n',
  '/usr/bin/vmtoolsd': 'x',
  '/usr/lib/systemd/system/open-vm-tools.service': 'x',
}

test('extensions are named with their paths and the packages that own them, all at once', async () => {
  const files = {
    ...withTools,
    '/etc/systemd/system/vboxadd.service': 'x',
    [`${modules}/misc/vboxsf.ko`]: 'x',
    '/opt/VBoxGuestAdditions-7.0.20/uninstall.sh': 'x',
  }
  const failure = await look(files).catch((error) => error)
  expect(failure).toMatchObject({ code: 'check-failed' })
  expect(failure.message.split(': ')[1].split('; ').sort()).toEqual([
    '/etc/systemd/system/vboxadd.service (VirtualBox), of no package',
    '/opt/VBoxGuestAdditions-7.0.20 (VirtualBox), of no package',
    '/usr/bin/vmtoolsd (VMware), of package open-vm-tools',
    '/usr/lib/modules/6.1.0-1-amd64/misc/vboxsf.ko (VirtualBox), of no package',
    '/usr/lib/systemd/system/open-vm-tools.service (VMware), of package open-vm-tools',
  ])
})

test('a package that is meant to be there may stay', async () => {
  await expect(look(withTools, ['open-vm-tools'])).resolves.toContain('3 packages')
})

test('a package of which nothing else is found is named', async () => {
  const status = `${stock['/var/lib/dpkg/status']}\n${stanza('qemu-guest-agent', 700)}`
  await expect(look({ ...stock, '/var/lib/dpkg/status': status })).rejects.toThrow(
    'the base machine holds extensions of hypervisors: package qemu-guest-agent (QEMU)',
  )
})

describe('a machine of RPMs', () => {
  let database: Buffer

  beforeAll(async () => {
    const work = join(folder, 'rpm')
    await mkdir(work)
    const package_ = (name: string, path: string) => `%package -n ${name}
Summary: ${name}
%description -n ${name}
x
%files -n ${name}
${path}
`
    await writeFile(
      join(work, 'x.spec'),
      `Name: x
Version: 1.2
Release: 3
Summary: x
License: MIT
BuildArch: noarch
%description
x
%install
mkdir -p %{buildroot}/usr/bin %{buildroot}${modules}
echo x >%{buildroot}/usr/bin/vmtoolsd
echo x >%{buildroot}${modules}/hv_vmbus.ko
${package_('open-vm-tools', '/usr/bin/vmtoolsd')}
${package_('kernel-modules', `${modules}/hv_vmbus.ko`)}
`,
    )
    const macros = ['_topdir', '_rpmdir'].flatMap((name) => ['--define', `${name} ${work}/${name}`])
    await run('rpmbuild', ['-bb', '--quiet', ...macros, join(work, 'x.spec')])
    const built = join(work, '_rpmdir/noarch')
    const rpms = (await readdir(built)).map((name) => join(built, name))
    const justNotes = ['--justdb', '--noscripts', '--nodeps', '--nosignature', '--nodigest']
    await run('rpm', ['--dbpath', join(work, 'db'), ...justNotes, '-i', ...rpms])
    database = await readFile(join(work, 'db/rpmdb.sqlite'))
  })

  const disk = (at: string): Files => ({
    [at]: database,
    '/usr/bin/vmtoolsd': 'x',
    [`${modules}/hv_vmbus.ko`]: 'x',
  })

  test.each(['/usr/lib/sysimage/rpm/rpmdb.sqlite', '/var/lib/rpm/rpmdb.sqlite'])(
    'is read from its database, %s',
    async (at) => {
      await expect(look(disk(at))).rejects.toThrow(
        /hypervisors: \/usr\/bin\/vmtoolsd \(VMware\), of package open-vm-tools$/,
      )
      expect(await look(disk(at), ['open-vm-tools'])).toMatch(
        /^### The base machine: 2 packages, .*\n(.*\n){3}\| kernel-modules \| 1\.2-3 \| 2 B \|$/m,
      )
    },
  )
})
