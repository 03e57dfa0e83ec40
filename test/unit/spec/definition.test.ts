import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { readSpec } from '../../../actions/lib/spec/read.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'appliance-definition-'))
  await mkdir(join(folder, 'base'))
  await define("iso_file: 'small.iso'")
})

afterEach(() => rm(folder, { recursive: true }))

const define = (more: string) =>
  writeFile(
    join(folder, 'base/definition.rb'),
    `Veewee::Definition.declare(cpu_count: '3', memory_size: '768', disk_size: '20480',\n  ssh_user: 'vagrant', ssh_password: 'vagrant', ${more})\n`,
  )

const image = 'iso: [{ url: https://example.com/small.iso }]'
const debian = 'deb: [{ name: debian, uri: https://deb.debian.org/debian, suites: [trixie] }]'

/** A spec with this basebox, or what is wrong with it. */
async function read(basebox: string, more = '', mirror = `${image}, ${debian}`) {
  const file = join(folder, 'appliance.yml')
  await writeFile(file, `name: box\nversion: 1.0.0\nbasebox: ${basebox}\nmirror: { ${mirror} }\n${more}`)
  return await readSpec(file).then(
    (spec) => spec.basebox,
    (error: Error) => error.message,
  )
}

describe('a base machine by a definition', () => {
  test('has the definition’s processors, memory and disk', async () => {
    expect(await read('{ definition: base/ }')).toMatchObject({
      cpus: 3,
      memory: 768 * 2 ** 20,
      disk: 20 * 2 ** 30,
      definition: join(folder, 'base'),
    })
  })

  test('has the spec’s own where it says so', async () => {
    expect(await read('{ definition: base, cpus: 1, memory: 2 GiB }')).toMatchObject({
      cpus: 1,
      memory: 2 ** 31,
      disk: 20 * 2 ** 30,
    })
  })

  test('is made from the mirror, its ISO not asked for', async () => {
    await define("os_type_id: 'Debian_64'")
    expect(await read('{ definition: base, strategy: bootstrap }')).toMatchObject({
      strategy: 'bootstrap',
      bootstrap: { packages: ['sudo'] },
      memory: 768 * 2 ** 20,
    })
  })
})

test.each([
  ['{ definition: bases }', 'appliance.yml:3:12: basebox.definition: there is no bases in'],
  ['{ definition: . }', 'definition.rb'],
  ['{ strategy: install }', 'basebox.strategy is for a definition; without one, bootstrap: is enough'],
  ['{ definition: base, bootstrap: {} }', 'leave bootstrap: out, or write strategy: bootstrap'],
  ['{ definition: base, strategy: instal }', 'did you mean install?'],
])('%s is refused', async (basebox, said) => {
  expect(await read(basebox)).toContain(said)
})

test('an image that nobody would mirror is a fault at once, with what to write', async () => {
  const said = await read('{ definition: base }', '', debian)
  expect(said).toBe(
    'appliance.yml:3:12: basebox.definition: its ISO small.iso is not in the mirror: write { url: https://…/small.iso } under mirror.iso',
  )
  expect(await read('{ definition: base, strategy: bootstrap }', '', debian)).toHaveProperty('cpus', 3)
})

test('a machine of nothing is a fault at once', async () => {
  expect(await read('{ definition: base, strategy: bootstrap }', '', image)).toContain(
    'basebox.strategy: has nothing to make the machine of: name the distribution’s repository under mirror.deb or mirror.rpm',
  )
})

test('what is only warned about in a definition is told beside its faults: it may be their cause', async () => {
  await define("memory_sise: '512', iso_file: `date`")
  await read('{ definition: base }')
  const error = await readSpec(join(folder, 'appliance.yml')).catch((thrown) => thrown)
  expect(error.warnings.map(({ message }: { message: string }) => message)).toEqual([
    expect.stringMatching(/^memory_sise is no key of definitions.*memory_size\?$/),
  ])
})

test('what ships may have more than the definition’s machine, never less', async () => {
  expect(await read('{ definition: base }', 'pack: { hardware: { disk: 10 GiB } }\n')).toContain(
    'pack.hardware.disk: may be larger than basebox.disk, 20 GiB, never smaller',
  )
})

test('faults of spec and definition are told together, with a pointer into the definition', async () => {
  await define("iso_file: `date`, os_type_id: 'Windows7'")
  const said = String(await read('{ definition: base, disc: 2 GiB }'))
  expect(said).toContain('unknown key disc; did you mean disk?')
  expect(said).toMatch(/base\/definition\.rb:2:\d+: .*\n {2}2 \| .*\n {4}\| +\^+/)
  expect(said).toContain('Windows machines are not built')
})
