import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { imageFormat, imageSha256 } from '../../../actions/lib/disk/image.ts'
import { sha256File } from '../../../actions/lib/files/digest.ts'
import { run } from '../../../actions/lib/process/command.ts'

let folder: string
const at = (name: string) => join(folder, name)
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'image-'))
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', at('base.qcow2'), '1M'])
  const over = ['create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b']
  await run('qemu-img', [...over, 'base.qcow2', at('middle.qcow2')])
  await run('qemu-img', [...over, 'middle.qcow2', at('top.qcow2')])
})
afterAll(() => rm(folder, { recursive: true }))

test('an image that stands alone has the digest of its file', async () => {
  expect(await imageSha256(at('base.qcow2'))).toBe(await sha256File(at('base.qcow2')))
  await writeFile(at('text.raw'), 'QFI')
  expect(await imageSha256(at('text.raw'))).toBe(await sha256File(at('text.raw')))
})

test('a change anywhere below an overlay changes its digest', async () => {
  const before = await imageSha256(at('top.qcow2'))
  await run('qemu-io', ['-f', 'qcow2', '-c', 'write -P 7 0 512', at('base.qcow2')])
  const after = await imageSha256(at('top.qcow2'))
  expect(after).not.toBe(before)
  await run('qemu-io', ['-f', 'qcow2', '-c', 'write -P 7 0 512', at('middle.qcow2')])
  expect(await imageSha256(at('top.qcow2'))).not.toBe(after)
})

test('an overlay of what is not there is a fault that names both', async () => {
  await run('qemu-img', ['create', '-q', '-u', '-f', 'qcow2', '-F', 'raw', '-b', 'gone', at('orphan'), '1M'])
  await expect(imageSha256(at('orphan'))).rejects.toMatchObject({
    code: 'input',
    message: expect.stringMatching(/orphan: .*gone.*No such file/),
  })
})

test('formats are told by their magic numbers', async () => {
  await run('qemu-img', ['create', '-q', '-f', 'vmdk', '-o', 'subformat=streamOptimized', at('x.vmdk'), '1M'])
  await writeFile(at('empty.raw'), '')
  await truncate(at('empty.raw'), 1 << 20)
  const names = ['top.qcow2', 'x.vmdk', 'empty.raw', 'text.raw']
  expect(await Promise.all(names.map((name) => imageFormat(at(name))))).toEqual([
    'qcow2',
    'vmdk',
    'raw',
    'raw',
  ])
})
