import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { diagnosed, lackingPackage, whereToAdd } from '../../../actions/chef-provision/steps/diagnosis.ts'
import { ApplianceError } from '../../../actions/lib/errors/error.ts'
import type { Guest } from '../../../actions/lib/guest/guest.ts'

test.each([
  [
    'apt_package[tree] install: Chef::Exceptions::Package: No candidate version available for tree',
    'deb',
    'tree',
  ],
  ['x failed (100); it last said: E: Unable to locate package libfoo++-dev', 'deb', 'libfoo++-dev'],
  ["E: Package 'nodejs' has no installation candidate", 'deb', 'nodejs'],
  ['No match for argument: tomcat | Error: Unable to find a match: tomcat', 'rpm', 'tomcat'],
  ["ERROR:  Could not find a valid gem 'rake' (>= 0) in any repository", 'gem', 'rake'],
  ["Could not find gem 'puma (~> 6.0)' in rubygems repository", 'gem', 'puma'],
  ["E: Version '1.2' for 'nginx' was not found", 'deb', 'nginx'],
  ["E: Version '2:1.2-3' for 'libc6:amd64' was not found", 'deb', 'libc6'],
  ["E: Couldn't find any package by regex 'php8.3'", 'deb', 'php8.3'],
  [' shop : Depends: libshop1 (>= 2) but it is not installable', 'deb', 'libshop1'],
  ['- nothing provides libshop >= 2.0 needed by shop-1-1.x86_64', 'rpm', 'libshop'],
  ['Could not find puma-6.4.2 in any of the sources', 'gem', 'puma'],
  ['Could not find rack-protection-4.0.0, puma-6.4.2 in locally installed gems', 'gem', 'rack-protection'],
  ['Could not find nokogiri-1.16.5-x86_64-linux in any of the sources', 'gem', 'nokogiri'],
  ["Could not find gems matching 'sinatra (~> 4)' valid for all resolution platforms", 'gem', 'sinatra'],
  [
    'Because shop depends on rack >= 3 and rack >= 3 could not be found in rubygems repository http://mirror.internal/gem/app/ or installed locally, version solving has failed.',
    'gem',
    'rack',
  ],
])('a package that is not in the mirror is recognised: %s', (message, kind, name) => {
  expect(lackingPackage(message)).toEqual({ kind, name })
})

const spec = `name: x
mirror:
  deb:
    - name: debian
      packages: [nginx]
  gem:
    - { name: chef, gems: { chef-bin: "*" }, for: tools }
    - { name: app, gemfile: app/Gemfile }
`

test('and the line of the spec that would bring it in is named', () => {
  expect(whereToAdd({ kind: 'deb', name: 'tree' }, spec, 'appliance.yml')).toBe(
    'The mirror does not have tree: add it to packages: of debian (appliance.yml:5).',
  )
  expect(whereToAdd({ kind: 'gem', name: 'rake' }, spec, 'appliance.yml')).toBe(
    'The mirror does not have rake: add it to its Gemfile, app/Gemfile of app (appliance.yml:8).',
  )
  expect(whereToAdd({ kind: 'rpm', name: 'tomcat' }, spec, 'appliance.yml')).toBe(
    'The mirror does not have tomcat: write a source for it under mirror.rpm in appliance.yml.',
  )
})

test('Chef’s words, which are the same for both families, are understood by what the mirror has', () => {
  const rpms = 'mirror:\n  rpm:\n    - { name: base, packages: [bash] }\n'
  expect(whereToAdd({ kind: 'deb', name: 'tree' }, rpms, 'appliance.yml')).toBe(
    'The mirror does not have tree: add it to packages: of base (appliance.yml:3).',
  )
  expect(whereToAdd({ kind: 'deb', name: 'tree' }, 'name: x\n', 'appliance.yml')).toBe(
    'The mirror does not have tree: write a source for it under mirror.deb in appliance.yml.',
  )
})

test('other failures are not taken for that', () => {
  expect(lackingPackage('make failed (2): no rule to make target')).toBeUndefined()
})

const guestThatSays = (stdout: string) =>
  ({
    guest: { run: async () => ({ status: 0, stdout, stderr: '' }) },
    machine: { evidence: ['/serial.log'] },
    work: { project: { specFile: '/nowhere/appliance.yml' } },
  }) as unknown as Parameters<typeof diagnosed>[1]
const failure = (message = 'make failed (137)') => new ApplianceError('guest-failed', message)
/** Of a step that took a minute. */
const seen = (stdout: string, message?: string) => diagnosed(failure(message), guestThatSays(stdout), 60_000)
const disks = `Filesystem     Type     1024-blocks    Used Available Capacity Mounted on
tmpfs          tmpfs         196608    1000    195608       1% /run
/dev/vda3      ext4         1000000  990000       512     100% /
/dev/vdb       ext4          800000  800000         0     100% /tools
`

test('a process that the kernel killed for want of memory', async () => {
  const killed =
    '[  80.1] Out of memory: Killed process 612 (cc1plus) total-vm:900000kB, anon-rss:716800kB, file-rss:0kB\n'
  expect(await seen(`${killed}90.20 160.00\n`)).toMatchObject({
    message: 'make failed (137). The guest ran out of memory: its kernel killed cc1plus, which had 700 MiB',
    hint: expect.stringMatching(/basebox\.memory/),
    evidence: ['/serial.log'],
  })
  // That was long before this step began.
  expect(await seen(`${killed}300.00 400.00\n`)).toMatchObject({ message: 'make failed (137)' })
})

test('a disk that is full, but not one that is full by nature', async () => {
  expect(await seen(`\n${disks}`, 'tar failed (2)')).toMatchObject({
    message: "tar failed (2). The guest's disk is full: / has 977 MiB and nothing left",
    hint: expect.stringMatching(/basebox\.disk/),
  })
  const roomy = disks.replace('990000       512', '100000    900000')
  expect(await seen(`\n${roomy}`)).toMatchObject({ message: 'make failed (137)' })
  expect(await seen(`\n${roomy}`, 'x: write error: No space left on device')).toMatchObject({
    message: "x: write error: No space left on device. The guest's disk is full",
  })
  expect(await seen(`\n${roomy.replace('195608', '0')}`, 'tar failed (2)')).toMatchObject({
    message: 'tar failed (2). What the guest keeps in memory is full: /run has 192 MiB and nothing left',
    hint: expect.stringMatching(/basebox\.memory/),
  })
})

test('what is no failure of a step is left as it is', async () => {
  const thrown = new TypeError('ours')
  expect(await diagnosed(thrown, guestThatSays(''), 0)).toBe(thrown)
})

test.each([
  [
    // `quiet` leaves the kernel's first line out.
    '[  80.1] Out of memory: Killed process 612 (sshd) total-vm:9000kB, anon-rss:7168kB\n',
    'no answer within 1 min: refused',
    'The guest ran out of memory: its kernel killed sshd, which had 7 MiB',
  ],
  ['all is well\n', 'the machine is gone: it powered off', 'It powered off'],
  [
    'all is well\n',
    'the machine is gone: its process ended (137)',
    'Its hypervisor is gone: its process ended (137)',
  ],
])('a guest that a step lost, by its console and its hypervisor: %j, %s', async (console, why, what) => {
  const folder = await mkdtemp(join(tmpdir(), 'appliance-diagnosis-'))
  try {
    const serial = join(folder, 'serial.log')
    await writeFile(serial, console)
    const lost = {
      serial,
      machine: {
        evidence: [],
        guest: async () => {
          throw new ApplianceError('no-answer', `provision: ${why}`)
        },
      },
      work: { signal: new AbortController().signal },
    } as unknown as Parameters<typeof diagnosed>[1]
    const error = new ApplianceError('no-answer', 'the connection broke')
    expect(await diagnosed(error, lost, 1000)).toMatchObject({ message: `the connection broke. ${what}` })
    // Whoever else used that connection does not know that it broke.
    const copy = new ApplianceError('guest-failed', 'upload of app to /opt failed (ssh: 255)')
    const guest = { run: async () => Promise.reject(error) } as unknown as Guest
    expect(await diagnosed(copy, { ...lost, guest }, 1000)).toMatchObject({
      code: 'no-answer',
      message: `upload of app to /opt failed (ssh: 255). ${what}`,
    })
  } finally {
    await rm(folder, { recursive: true })
  }
})
