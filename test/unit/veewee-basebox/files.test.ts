import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { readSpec } from '../../../actions/lib/spec/read.ts'
import type { Spec } from '../../../actions/lib/spec/spec.ts'
import { HOST_KEYS_UNIT } from '../../../actions/veewee-basebox/bootstrap/any-system.ts'
import { baseFiles, keyrings } from '../../../actions/veewee-basebox/bootstrap/files.ts'
import { systemOf } from '../../../actions/veewee-basebox/bootstrap/system.ts'

const appliance = String.raw`name: license-server
version: 1.4.0
product: { title: "The $1 Vendor's \"License\" Server" }
mirror:
  deb:
    - { name: debian, uri: https://deb.debian.org/debian, suites: [bookworm, bookworm-updates], packages: [nginx-light] }
    - { name: security, uri: https://deb.debian.org/debian-security, suites: [bookworm-security] }
basebox: { bootstrap: { suite: bookworm } }
`
const rootUuid = '0a0b0c0d-0000-8000-8000-000000000001'

let folder: string
let spec: Spec
let files: Record<string, string>
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'appliance-base-'))
  await writeFile(join(folder, 'appliance.yml'), appliance)
  spec = await readSpec(join(folder, 'appliance.yml'))
  files = baseFiles({ system: systemOf(spec), rootUuid })
})
afterAll(() => rm(folder, { recursive: true }))

/** An INI-like file (systemd's, apt's) as lists of values by `section.key`. */
function settings(text: string): Record<string, string[]> {
  const found: Record<string, string[]> = {}
  let section = ''
  for (const line of text.split('\n')) {
    const heading = /^\[(.+)\]$/.exec(line)?.[1]
    if (heading) section = `${heading}.`
    const [, key, value] = /^(\w[\w-]*)=(.*)$/.exec(line) ?? []
    if (key) found[section + key] = [...(found[section + key] ?? []), value!]
  }
  return found
}

describe('the base machine’s own files', () => {
  test('lie inside the root, wherever that is', () => {
    for (const path of Object.keys(files)) expect(path).toMatch(/^(etc|usr|boot)\/[^/]+/)
  })

  test('end with a newline and have no blank at a line’s end', () => {
    for (const content of Object.values(files)) {
      expect(content.endsWith('\n')).toBe(true)
      expect(content).not.toMatch(/[ \t]$/m)
    }
  })

  test('take any network card and name none by its address', () => {
    const network = settings(files['etc/systemd/network/80-any.network']!)
    expect(network).toEqual({
      'Match.Name': ['en* eth*'],
      'Network.DHCP': ['yes'],
      'DHCPv4.ClientIdentifier': ['mac'],
    })
    for (const content of Object.values(files)) expect(content).not.toMatch(/([0-9a-f]{2}:){5}[0-9a-f]{2}/i)
  })

  test('find the root file system by its UUID alone, never by a device’s name', () => {
    expect(files['etc/fstab']).toMatch(new RegExp(`^UUID=${rootUuid} / ext4 `))
    expect(files['boot/grub/grub.cfg']).toContain(`root=UUID=${rootUuid} `)
    for (const content of Object.values(files)) expect(content).not.toMatch(/\/dev\/[shv]d[a-z]/)
  })

  test('start whatever kernel is newest, with a screen for people and a serial line for the build', () => {
    const menu = files['boot/grub/grub.cfg']!
    expect(menu).toMatch(/^ {2}linux \/vmlinuz .* console=ttyS0,115200n8 console=tty0$/m)
    expect(menu).toMatch(/^ {2}initrd \/initrd\.img$/m)
  })

  test('show the product’s title as it is, but for the quotation mark that would end it', () => {
    const menu = files['boot/grub/grub.cfg']!.split('\n').filter((line) => line.startsWith('menuentry'))
    expect(menu).toEqual([`menuentry 'The $1 Vendors "License" Server' {`])
  })

  test('do not change with the version: a new one is put on the same base machine', async () => {
    const next = await readSpec(join(folder, 'appliance.yml'), { version: '1.5.0' })
    expect(baseFiles({ system: systemOf(next), rootUuid })).toEqual(files)
  })

  test('name upstream’s repositories, one file each, signed by upstream, and never the mirror', () => {
    expect(files['etc/apt/sources.list.d/debian.sources']!.split('\n')).toEqual([
      'Types: deb',
      'URIs: https://deb.debian.org/debian',
      'Suites: bookworm bookworm-updates',
      'Components: main',
      'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg',
      '',
    ])
    expect(files['etc/apt/sources.list.d/security.sources']).toContain('\nSuites: bookworm-security\n')
    for (const content of Object.values(files)) expect(content).not.toMatch(/mirror|10\.77\.|10\.0\.2\./)
  })

  test('bring the keys of a repository that Debian’s keyring knows nothing of', async () => {
    const vendors = `
    - { name: vendor, uri: https://deb.debian.org/x, suites: [stable], signed_by: keys/their.asc }
    - { name: other, uri: https://deb.debian.org/y, suites: [stable], signed_by: keys/their.kbx }
`
    await mkdir(join(folder, 'keys'))
    for (const name of ['their.asc', 'their.kbx']) await writeFile(join(folder, 'keys', name), 'KEY')
    await writeFile(join(folder, 'vendors.yml'), appliance.replace('\nbasebox', `${vendors}basebox`))
    const spec = await readSpec(join(folder, 'vendors.yml'))
    expect(keyrings(spec.mirror.deb)).toEqual({
      'etc/apt/keyrings/vendor.asc': join(folder, 'keys/their.asc'),
      'etc/apt/keyrings/other.gpg': join(folder, 'keys/their.kbx'),
    })
    const sources = baseFiles({ system: systemOf(spec), rootUuid })
    expect(sources['etc/apt/sources.list.d/vendor.sources']).toMatch(
      /^Signed-By: \/etc\/apt\/keyrings\/vendor\.asc$/m,
    )
    expect(sources['etc/apt/sources.list.d/debian.sources']).toMatch(/^Signed-By: \/usr\/share\/keyrings\//m)
  })

  test('can resolve the machine’s own name without a resolver', () => {
    expect(files['etc/hostname']).toBe('license-server\n')
    expect(files['etc/hosts']).toMatch(/^127\.0\.1\.1\tlicense-server$/m)
  })

  test('make SSH host keys before sshd wants them, and only where there are none', () => {
    const unit = settings(files[`usr/lib/systemd/system/${HOST_KEYS_UNIT}`]!)
    expect(unit['Service.ExecStart']).toEqual(['/usr/bin/ssh-keygen -A'])
    expect(unit['Service.Type']).toEqual(['oneshot'])
    expect(unit['Unit.Before']).toEqual(['ssh.service'])
    expect(unit['Install.RequiredBy']).toEqual(['ssh.service'])
    const conditions = Object.entries(unit).filter(([key]) => key.startsWith('Unit.Condition'))
    expect(conditions).toEqual([[expect.any(String), [expect.stringMatching(/^!.*ssh_host_/)]]])
  })

  test('are the same for the same spec, wherever it lies', async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'appliance-base-'))
    try {
      await writeFile(join(elsewhere, 'appliance.yml'), appliance)
      const system = systemOf(await readSpec(join(elsewhere, 'appliance.yml')))
      expect(baseFiles({ system, rootUuid })).toEqual(files)
    } finally {
      await rm(elsewhere, { recursive: true })
    }
  })
})
