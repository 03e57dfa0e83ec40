import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { scan } from '../../../actions/ova-pack/scan.ts'
import { type Needle, privateKeys, secretText } from '../../../actions/ova-pack/secrets.ts'
import { quietLog } from '../../integration/ova-pack/quiet-log.ts'
import { PEM } from '../../integration/ova-pack/sample-files.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scan-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function found(content: string, needles: readonly Needle[], most?: number): Promise<string[]> {
  const disk = join(folder, 'disk.raw')
  await writeFile(disk, content)
  const extents = [{ start: 0, length: content.length }]
  const { signal } = new AbortController()
  return (await scan(disk, content.length, extents, needles, quietLog(), signal, most)).map(
    ({ needle }) => needle.name,
  )
}
const secret = secretText('the secret', 'correct horse')

test('no number of other finds hides a secret of the spec', async () => {
  const names = await found(`${PEM.repeat(1500)}correct horse`, [privateKeys, secret])
  expect(names).toHaveLength(1501)
  expect(names.at(-1)).toBe('the secret')
})

test('a secret that is there often is kept a few times, and hides no other', async () => {
  const other = secretText('another', 'battery staple')
  expect(await found(`${'correct horse '.repeat(9)}battery staple`, [secret, other], 3)).toEqual([
    ...Array(3).fill('the secret'),
    'another',
  ])
})

test('where there are more finds than are judged, the disk is refused', async () => {
  await expect(found(PEM.repeat(4), [privateKeys], 3)).rejects.toMatchObject({
    code: 'check-failed',
    message: 'sealing: the disk holds a private key more than 3 times: they are not all looked at',
  })
})
