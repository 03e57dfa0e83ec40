import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import { readSpec } from '../../../actions/lib/spec/read.ts'

const folder = await mkdtemp(join(tmpdir(), 'appliance-deb-spec-'))
afterAll(() => rm(folder, { recursive: true }))
await writeFile(join(folder, 'key.gpg'), 'a key')

async function deb(more: string) {
  const file = join(folder, 'appliance.yml')
  const entry = `{ name: debian, uri: "https://deb.example.test/debian", suites: [bookworm], signed_by: key.gpg, ${more} }`
  await writeFile(file, `name: box\nversion: 1.0.0\nmirror:\n  deb:\n    - ${entry}\n`)
  return (await readSpec(file)).mirror.deb[0]!
}

describe('a Debian repository in the spec', () => {
  test('has architectures, a priority and pins', async () => {
    const pins = 'pins: [{ packages: [nginx*], version: "1.22.*", priority: 1001 }]'
    expect(await deb(`architectures: [amd64, i386], priority: 100, ${pins}`)).toMatchObject({
      architectures: ['amd64', 'i386'],
      priority: 100,
      pins: [{ packages: ['nginx*'], version: '1.22.*', priority: 1001 }],
    })
  })

  test.each([
    ['priority: 0', 'expected a priority as apt knows it: a whole number from -32768 to 32767, not 0; got 0'],
    ['pins: [{ packages: [], priority: 5 }]', 'name at least one package'],
    ['pins: [{ packages: [a] }]', 'is missing: expected a priority'],
    ['architectures: [arm64]', 'expected one of amd64, i386, x32; got "arm64"'],
    ['architectures: []', 'name at least one architecture'],
  ])('%s is refused', async (more, message) => {
    await expect(deb(more)).rejects.toMatchObject({
      code: 'input',
      message: expect.stringContaining(message),
    })
  })

  test('is flat or is not, and has a name of its own', async () => {
    const file = join(folder, 'appliance.yml')
    const entry = (name: string, suites: string) =>
      `    - { name: ${name}, uri: "https://deb.example.test/", suites: [${suites}], signed_by: key.gpg }\n`
    await writeFile(
      file,
      `name: box\nversion: 1.0.0\nmirror:\n  deb:\n${entry('dists', './')}${entry('vendor', './, bookworm')}`,
    )
    await expect(readSpec(file)).rejects.toMatchObject({
      message: expect.stringMatching(
        /dists is what the mirror calls something else[\s\S]*\.\/ is a flat repository, the others are not/,
      ),
    })
  })
})
