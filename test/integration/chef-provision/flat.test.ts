import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { beginFlattening } from '../../../actions/chef-provision/layers/flat.ts'
import { overlay } from '../../../actions/chef-provision/layers/shelf.ts'
import { run } from '../../../actions/lib/process/command.ts'

let folder: string
const at = (name: string) => join(folder, name)
const signal = new AbortController().signal
const write = (disk: string, ...commands: string[]) =>
  run('qemu-io', ['-f', 'qcow2', ...commands.flatMap((command) => ['-c', command]), disk])

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flat-'))
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', at('base'), '64M'])
  await write(at('base'), 'write -P 1 0 8M', 'write -P 2 32M 1M')
  await overlay(at('layer'), at('base'))
  await write(at('layer'), 'write -P 3 1M 2M')
  await overlay(at('disk'), at('layer'))
})
afterEach(async () => rm(folder, { recursive: true, force: true }))

test('what a machine writes, discards and zeroes while its disk is flattened is in the image', async () => {
  {
    await using begun = beginFlattening(at('layer'), folder, signal)
    await write(at('disk'), 'write -P 4 2M 1M', 'write -z 32M 64k', 'write -P 5 48M 4k', 'discard 4M 1M')
    await run('qemu-img', ['convert', '-O', 'raw', at('disk'), at('expected')])
    await begun.finish(at('disk'), at('flat'))
  }
  await run('qemu-img', ['compare', '-q', '-f', 'qcow2', '-F', 'raw', at('flat'), at('expected')])
  const { stdout } = await run('qemu-img', ['info', '--output=json', at('flat')])
  expect(JSON.parse(stdout)).not.toHaveProperty('backing-filename')
  await expect(
    run('qemu-img', ['compare', '-q', '-f', 'qcow2', '-F', 'raw', at('layer'), at('expected')]),
  ).rejects.toThrow()
})

test('an image that is not finished leaves nothing', async () => {
  const there = async () => (await readdir(folder)).sort()
  const before = await there()
  for (const after of [0, 50]) {
    await using _ = beginFlattening(at('layer'), folder, signal)
    await new Promise((resolve) => setTimeout(resolve, after))
  }
  expect(await there()).toEqual(before)
})

test('an image that cannot be made says why, when it is asked for', async () => {
  await using begun = beginFlattening(at('none'), folder, signal)
  await expect(begun.finish(at('disk'), at('flat'))).rejects.toThrow(/Could not open/)
})
