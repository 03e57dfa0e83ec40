import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { readDefinition } from '../../../actions/lib/definition/definition.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { readSpec } from '../../../actions/lib/spec/read.ts'
import { accountsOf } from '../../../actions/veewee-basebox/bootstrap/definition.ts'
import { described, systemOf } from '../../../actions/veewee-basebox/bootstrap/system.ts'
import { keyFile } from '../../../actions/veewee-basebox/install/machine.ts'
import { openingScript } from '../../../actions/veewee-basebox/install/script-mirror.ts'
import { lockOf } from '../../fixtures/lock.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'appliance-defined-'))
  await mkdir(join(folder, 'base'))
  const key = join(folder, 'base/key')
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'of the definition', '-f', key])
  await writeFile(join(folder, 'base/secret'), 'no key\n')
})
afterAll(() => rm(folder, { recursive: true }))

async function define(login: string) {
  const text = `Veewee::Definition.declare(os_type_id: 'Debian_64', memory_size: '768', ${login})\n`
  await writeFile(join(folder, 'base/definition.rb'), text)
  return readDefinition('base', { workingDirectory: folder, strategy: 'bootstrap' })
}

async function specWith(more: string) {
  const file = join(folder, 'appliance.yml')
  await writeFile(
    file,
    `name: box
version: 1.0.0
mirror: { deb: [{ name: debian, uri: https://deb.debian.org/debian, suites: [trixie] }] }
basebox: { definition: base, strategy: bootstrap${more} }
`,
  )
  return await readSpec(file)
}

describe('the user of a definition that is made from the mirror', () => {
  test('has its password, and becomes root by it', async () => {
    const accounts = await accountsOf(await define("ssh_user: 'vagrant', ssh_password: 'secret'"))
    expect(accounts).toMatchObject([
      { name: 'vagrant', sudo: true, password: { clear: 'secret' }, authorizedKeys: [] },
    ])
  })

  test('has its key, whose public half may be beside it or not, and becomes root without a password', async () => {
    const wanted = (await readFile(join(folder, 'base/key.pub'), 'utf8')).trim()
    const [account] = await accountsOf(await define("ssh_user: 'vagrant', ssh_key: 'key'"))
    expect(account).toMatchObject({ sudo: 'nopasswd', password: undefined, authorizedKeys: [wanted] })
    await rm(join(folder, 'base/key.pub'))
    const [again] = await accountsOf(await define("ssh_user: 'vagrant', ssh_key: 'key'"))
    expect(again!.authorizedKeys[0]).toBe(wanted)
  })

  test('cannot have a key that is none', async () => {
    const definition = await define("ssh_user: 'vagrant', ssh_key: 'secret'")
    await expect(accountsOf(definition)).rejects.toThrow(
      /base\/secret is no private key that opens without a passphrase$/,
    )
  })

  test('is none where that is root', async () => {
    expect(await accountsOf(await define("ssh_user: 'root', ssh_password: 'toor'"))).toEqual([])
    expect((await specWith('')).basebox.bootstrap!.packages).toEqual([])
  })

  test('is an account of the system, which has sudo for it; its password is in no fingerprint', async () => {
    const definition = await define("ssh_user: 'vagrant', ssh_password: 'secret'")
    const system = systemOf(await specWith(''), {}, await accountsOf(definition))
    expect(system.users.map(({ name }) => name)).toEqual(['vagrant'])
    expect(system.packages).toContain('sudo')
    expect(described(system)).toContain('vagrant')
    expect(described(system)).not.toContain('secret')
  })

  test('cannot be declared by the spec once more', async () => {
    const definition = await define("ssh_user: 'vagrant', ssh_password: 'secret'")
    const spec = await specWith(', bootstrap: { users: [{ name: vagrant }] }')
    const accounts = await accountsOf(definition)
    expect(() => systemOf(spec, {}, accounts)).toThrow(
      'basebox.bootstrap.users: vagrant is the definition’s user; leave it out here',
    )
  })
})

test('a key is looked for beside the definition, or where it is said to be', () => {
  expect(keyFile('/project/base', 'keys/id')).toBe('/project/base/keys/id')
  expect(keyFile('/project/base', '/etc/id')).toBe('/etc/id')
  expect(keyFile('/project/base', '~/.ssh/id')).toBe(join(homedir(), '.ssh/id'))
})

describe('what lets scripts use the mirror', () => {
  const key = Buffer.from(Array.from({ length: 200 }, (_, n) => n))
  const deb = [{ name: 'debian', packages: [] }] as never
  const script = openingScript(lockOf({ deb }), 'http://mirror.internal', key)

  test('is a script that a shell can read', async () => {
    const { status } = await run('sh', ['-n'], { input: script })
    expect(status).toBe(0)
  })

  test('brings the mirror’s key whole, and points apt to what is gone after a restart', () => {
    const encoded = /base64 -d >\/run\/appliance\/mirror\.gpg <<'END'\n([A-Za-z0-9+/=\n]*?)\nEND\n/.exec(
      script,
    )![1]!
    expect(Buffer.from(encoded, 'base64')).toEqual(key)
    expect(script).toContain(
      'deb [signed-by=/run/appliance/mirror.gpg] http://mirror.internal/deb/debian appliance main',
    )
    expect(script).toMatch(/ln -sf \/run\/appliance\/apt\.conf \/etc\/apt\/apt\.conf\.d\/99appliance-mirror/)
    expect(script).toMatch(/^apt-get -q update /m)
  })
})
