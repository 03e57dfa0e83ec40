import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { sha256File } from '../../actions/lib/files/digest.ts'
import { run } from '../../actions/lib/process/command.ts'
import { joinSh, partsOf, sums } from '../../actions/publish/parts.ts'
import { documentedCommands, typed } from '../fixtures/documented.ts'

// Commands of the documentation that need no machine, typed as they stand there.

let base: string
let folder: string
const well = { status: 0, output: expect.any(String) }

beforeEach(async () => {
  base = await mkdtemp('/tmp/appliance-documented-')
  folder = join(base, 'product')
  await mkdir(folder)
})
afterEach(() => rm(base, { recursive: true }))

test('docs/mirror-archive.md and docs/rebuild.md: upstream is gone, the tag and the archive give the same mirror', async () => {
  const data = join(base, 'data.txt')
  await writeFile(data, 'what the appliance needs\n')
  await writeFile(
    join(folder, 'appliance.yml'),
    `name: tiny\nversion: 1.4.0\nmirror:\n  file:\n    - url: file://${data}\n`,
  )
  const writing = await documentedCommands('docs/mirror-archive.md', 'Write it')
  expect(await typed(['appliance lock', ...writing], folder)).toEqual(well)
  const git = ['-c', 'user.name=a', '-c', 'user.email=a@example.com', '-C', folder]
  await run('git', [...git, 'init', '-q'])
  await run('git', [...git, 'add', 'appliance.yml', 'appliance.lock.json'])
  await run('git', [...git, 'commit', '-qm', '1.4.0'])
  await run('git', [...git, 'tag', 'v1.4.0'])

  await rm(data)
  await rm(join(folder, 'build'), { recursive: true })
  const reading = await documentedCommands('docs/mirror-archive.md', 'Build from it')
  expect(await typed(reading, folder)).toEqual(well)

  // From the release's page: in parts.
  await rm(join(folder, 'build'), { recursive: true })
  const path = join(folder, 'mirror.tar.zst')
  const content = await readFile(path)
  const whole = { name: 'mirror.tar.zst', path, bytes: content.length, sha256: await sha256File(path) }
  const parts = await partsOf(whole, Math.ceil(content.length / 3), new AbortController().signal)
  for (const { name, range } of parts)
    await writeFile(join(folder, name), content.subarray(range.start, range.end))
  await rm(path)
  await writeFile(join(folder, 'SHA256SUMS.release'), sums([whole], parts))
  await writeFile(join(folder, 'join.sh'), joinSh)
  const rebuilding = await documentedCommands('docs/rebuild.md', 'Rebuild in two years, from the archive')
  // The rest of it boots machines, as test/e2e does.
  expect(rebuilding.pop()).toBe('appliance build')
  const { status, output } = await typed(rebuilding, folder)
  expect([status, output]).toEqual([0, expect.stringContaining('mirror.tar.zst is whole')])
  expect(await readFile(join(folder, 'build/mirror-deps/tree/file/data.txt/data.txt'), 'utf8')).toBe(
    'what the appliance needs\n',
  )
})

test('docs/sign.md: key and certificate belong together, and a signature by the one verifies by the other', async () => {
  expect(await typed(await documentedCommands('docs/sign.md', 'Sign'), folder)).toEqual(well)
  await writeFile(join(folder, 'sums'), 'x')
  const signing = [
    'openssl dgst -sha256 -sign signing-key.pem -out signature sums',
    'openssl x509 -in release.pem -noout -pubkey -out public.pem',
    'openssl dgst -sha256 -verify public.pem -signature signature sums',
  ]
  expect(await typed(signing, folder)).toEqual(well)
})
