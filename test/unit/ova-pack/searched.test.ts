import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { buildKey } from '../../../actions/lib/guest/key.ts'
import { readSpec } from '../../../actions/lib/spec/read.ts'
import { type Searched, searchedSecrets } from '../../../actions/ova-pack/searched.ts'

const SPEC = `name: sample
version: 1.2.3
secrets: { admin: env:ADMIN, short: env:SHORT, unset: env:UNSET, new: generate }
chef: { license: accept }
mirror:
  deb: [{ name: debian, uri: https://example.test/debian, suites: [bookworm] }]
  gem: [{ name: chef, gems: { chef-bin: ~> 18.4 }, for: tools }]
  file: [{ url: https://example.test/jdk.tar.gz, auth: { token: env:TOKEN } }]
  iso: [{ url: https://example.test/os.iso, auth: { user: me, password: env:ISO_PASSWORD } }]
basebox:
  bootstrap:
    suite: bookworm
    users: [{ name: ada, password: env:ADA }, { name: bob, password: env:BOB }]
provision:
  - chef_solo: { cookbooks: cookbooks, run_list: ["recipe[x]"], data_bag_secret: bag.secret }
  - chef_solo: { cookbooks: cookbooks, run_list: ["recipe[x]"], data_bag_secret: env:BAG }
  - chef_solo: { cookbooks: cookbooks, run_list: ["recipe[x]"], data_bag_secret: bag.secret }
  - chef_solo: { cookbooks: cookbooks, run_list: ["recipe[x]"], data_bag_secret: env:SHORT }
  - chef_solo: { cookbooks: cookbooks, run_list: ["recipe[x]"], data_bag_secret: env:SHORT }
pack:
  root: { password: env:ROOT }
  sign: { key: env:SIGN, certificate: certificate.pem }
`
const pem = (type: 'rsa' | 'ec') =>
  (type === 'rsa'
    ? generateKeyPairSync('rsa', { modulusLength: 2048 })
    : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  ).privateKey
    .export({ type: 'pkcs8', format: 'pem' })
    .toString()
const environment = {
  ADMIN: 'secret of admin',
  SHORT: 'short',
  TOKEN: 'token-of-the-vendor',
  ISO_PASSWORD: 'password of the iso',
  ADA: 'clear text of ada',
  BOB: '$6$salt$hashhashhash',
  BAG: 'secret of the bags\nin two lines, the longer one\n',
  ROOT: 'clear text of root',
  SIGN: pem('rsa'),
}

let folder: string
let searched: Searched
let ownKey: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'searched-'))
  await mkdir(join(folder, 'cookbooks/x/recipes'), { recursive: true })
  await writeFile(join(folder, 'cookbooks/x/metadata.rb'), "name 'x'\n")
  await writeFile(join(folder, 'cookbooks/x/recipes/default.rb'), '')
  await writeFile(join(folder, 'bag.secret'), 'secret in a file\n')
  await writeFile(join(folder, 'certificate.pem'), '')
  await writeFile(join(folder, 'appliance.yml'), SPEC)
  ownKey = await buildKey(join(folder, 'build'))
  const spec = await readSpec(join(folder, 'appliance.yml'), {})
  searched = await searchedSecrets(spec, ownKey, environment)
})
afterAll(() => rm(folder, { recursive: true }))

/** Names of what is looked for that is in a text. */
function namesIn(text: string): string[] {
  return [
    ...new Set(searched.needles.flatMap(({ name, bytes }) => (text.includes(bytes.toString()) ? name : []))),
  ]
}

test.each<[string, () => string]>([
  ['the secret admin', () => environment.ADMIN],
  ['the credentials of mirror jdk.tar.gz', () => environment.TOKEN],
  ['the credentials of mirror os.iso', () => environment.ISO_PASSWORD],
  ['the password of ada', () => environment.ADA],
  ['the secret of the data bags', () => 'secret in a file'],
  ['the secret of the data bags', () => 'in two lines, the longer one'],
  ['pack.root.password', () => environment.ROOT],
  ['pack.sign.key', () => environment.SIGN],
  ['pack.sign.key', () => environment.SIGN.replaceAll('\n', '\\n')],
  [
    'pack.sign.key',
    () => createPrivateKey(environment.SIGN).export({ type: 'pkcs1', format: 'pem' }).toString(),
  ],
])('%s is looked for', (name, text) => {
  expect(namesIn(`x ${text()} y`)).toContain(name)
})

test("the build's key is looked for, each half by its name", async () => {
  expect(namesIn(await readFile(ownKey, 'utf8'))).toContain("the build's private key")
  expect(namesIn(await readFile(`${ownKey}.pub`, 'utf8'))).toEqual(["the build's SSH key"])
})

test('others’ keys and a password’s hash are not taken for the spec’s', () => {
  expect(namesIn(pem('rsa') + pem('ec') + environment.BOB)).toEqual([])
})

test('what cannot be looked for is told, once', () => {
  expect(searched.unsearched).toEqual([
    'the secret short: SHORT has fewer than 8 characters',
    'the secret unset: UNSET is not set in the environment',
    'the secret of the data bags: SHORT has fewer than 8 characters',
  ])
})

test('what several steps share is looked for once', () => {
  expect(searched.needles.filter(({ bytes }) => bytes.toString() === 'secret in a file')).toHaveLength(1)
})
