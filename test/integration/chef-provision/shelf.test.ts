import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { Shelf } from '../../../actions/chef-provision/layers/shelf.ts'
import { run } from '../../../actions/lib/process/command.ts'

let folder: string
let shelf: Shelf
const layers = () => join(folder, 'layers')

/** A layer for each letter, over one another: each writes its own letter to its own MiB, and to the first one. */
async function make(...keys: string[]): Promise<void> {
  for (const [index, key] of keys.entries()) {
    const parent = keys[index - 1]
    const disk = await shelf.begin(key, parent)
    await write(disk, 0, key)
    await write(disk, index + 1, key)
    await writeFile(shelf.memory(key), 'm'.repeat(4096))
    await mkdir(shelf.files(key))
    await writeFile(join(shelf.files(key), 'licences.txt'), key)
    await symlink('licences.txt', join(shelf.files(key), 'current'))
    const report = { title: `step ${key}`, kind: 'download', milliseconds: 1 }
    await shelf.finish(
      {
        key,
        ...(parent ? { parent, after: parent, report } : {}),
        position: index,
        title: key,
        dependsOn: {},
      },
      { machine: { memory: shelf.memory(key), address: '10.77.0.9', mac: '52:54:00:77:00:10' }, fits: {} },
    )
    // The one made first was used longest ago.
    const time = new Date(1_700_000_000_000 + index * 1000)
    await utimes(join(layers(), key, 'layer.json'), time, time)
  }
}

const write = (disk: string, mib: number, letter: string) =>
  run('qemu-io', ['-f', 'qcow2', '-c', `write -q -P ${letter.charCodeAt(0)} ${mib}M 64k`, disk])

/** The letters at the beginning of each MiB of a layer's disk; an empty one is 0. */
async function read(key: string, count: number): Promise<string> {
  const { stdout } = await run('qemu-img', [
    'convert',
    '-f',
    'qcow2',
    '-O',
    'raw',
    shelf.disk(key),
    join(folder, 'raw'),
  ])
  expect(stdout).toBe('')
  const raw = await readFile(join(folder, 'raw'))
  return Array.from({ length: count }, (_, mib) => String.fromCharCode(raw[mib << 20]! || 0x30)).join('')
}

const kept = async () => (await shelf.layers()).map(({ key }) => key).sort()

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shelf-'))
  const base = join(folder, 'base.qcow2')
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', base, '16M'])
  await write(base, 8, 'z')
  shelf = new Shelf(layers(), base)
  await shelf.tidy()
})
afterEach(() => rm(folder, { recursive: true }))

test('layers lie over one another, and over the base, also after the project was moved', async () => {
  await make('a', 'b', 'c')
  expect(await read('c', 10)).toBe('cabc0000z0')
  expect(await read('a', 4)).toBe('aa00')
  const moved = await mkdtemp(join(tmpdir(), 'shelf-'))
  await run('cp', ['-a', `${folder}/.`, moved])
  await rm(folder, { recursive: true })
  folder = moved
  shelf = new Shelf(layers(), join(folder, 'base.qcow2'))
  expect(await read('c', 10)).toBe('cabc0000z0')
})

test('what a killed run left half done goes, with whatever lay over it', async () => {
  await make('a', 'b', 'c')
  await rm(join(layers(), 'b', 'layer.json'))
  await mkdir(join(layers(), 'd'))
  await writeFile(join(layers(), 'd', 'layer.json'), '{ "schema": 1, ')
  await shelf.tidy()
  expect(await kept()).toEqual(['a'])
  expect(await readdir(layers())).toEqual(['a'])
})

test('a layer made anew takes away what lay over the old one', async () => {
  await make('a', 'b', 'c')
  await shelf.begin('b', 'a')
  expect(await kept()).toEqual(['a'])
})

test('layers that are too many are merged upwards, and no byte is lost', async () => {
  await make('a', 'b', 'c', 'd')
  expect(await shelf.prune(['a', 'b', 'c', 'd'], { layers: 2, size: 1e9 })).toMatchObject({ layers: 2 })
  expect(await kept()).toEqual(['c', 'd'])
  expect((await readdir(layers())).sort()).toEqual(['c', 'd'])
  expect(await read('d', 10)).toBe('dabcd000z0')
  expect(await read('c', 10)).toBe('cabc0000z0')
  expect((await shelf.layers()).find(({ key }) => key === 'c')).not.toHaveProperty('parent')
})

test('what steps gave stays with the layer that theirs were merged into', async () => {
  await make('a', 'b', 'c', 'd')
  await prunedWithFiles(2)
  expect((await readdir(layers())).sort()).toEqual(['c', 'd'])
  await prunedWithFiles(1)
  expect(await readdir(layers())).toEqual(['d'])
  for (const key of ['b', 'c', 'd']) {
    const given = await shelf.given(key)
    expect(given?.report).toMatchObject({ title: `step ${key}` })
    expect(await readFile(join(given!.files, 'licences.txt'), 'utf8')).toBe(key)
    expect(await readlink(join(given!.files, 'current'))).toBe('licences.txt')
  }
  expect((await shelf.given('a'))?.report).toBeUndefined()
  expect(await shelf.given('e')).toBeUndefined()
})

/** Whoever is killed after copying, too, finds all of it: the first attempt's leavings lie there already. */
async function prunedWithFiles(layersLeft: number): Promise<void> {
  await mkdir(join(layers(), 'd', 'merged', 'c', 'half'), { recursive: true })
  await shelf.prune(['a', 'b', 'c', 'd'], { layers: layersLeft, size: 1e9 })
}

test('a merge that was killed after its copying is done again', async () => {
  await make('a', 'b')
  await run('qemu-img', [
    'rebase',
    '-q',
    '-f',
    'qcow2',
    '-F',
    'qcow2',
    '-b',
    '../../base.qcow2',
    shelf.disk('b'),
  ])
  await shelf.tidy()
  expect(await kept()).toEqual(['a', 'b'])
  await shelf.prune(['a', 'b'], { layers: 1, size: 1e9 })
  expect(await read('b', 10)).toBe('bab00000z0')
})

test('memories go where room is short, the earliest first; what is left can still be booted from', async () => {
  await make('a', 'b')
  const withMemory = async () => (await shelf.layers()).flatMap(({ key, machine }) => (machine ? [key] : []))
  const { bytes, memory } = await shelf.prune(['a', 'b'], { layers: 5, size: 1e9 })
  expect(memory).toBe(8192)
  await shelf.prune(['a', 'b'], { layers: 5, size: bytes - 1 })
  expect(await withMemory()).toEqual(['b'])
  await shelf.prune(['a', 'b'], { layers: 5, size: bytes - memory })
  expect(await withMemory()).toEqual([])
  await expect(stat(shelf.memory('b'))).rejects.toThrow()
  expect(await kept()).toEqual(['a', 'b'])
  expect(await read('b', 10)).toBe('bab00000z0')
})
