import { mkdir, mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Ext4Files } from '../../../actions/lib/disk/ext4-files.ts'
import { folderSource } from '../../../actions/lib/disk/xfs/folder.ts'
import { makeXfs } from '../../../actions/lib/disk/xfs/make.ts'
import { fileBytes } from '../../../actions/lib/files/bytes.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { smallDisk } from '../../fixtures/small-disk.ts'
import { type Files, placeFiles } from './sample-disk.ts'

const MIB = 2 ** 20

/** Where the root partition of a sample disk begins. Bytes. */
export const XFS_ROOT = 2 * MIB
export const XFS_UUID = '5f5f5f5f-0000-4000-8000-000000000005'
/** mkfs.xfs makes none smaller than 300 MiB. */
const SIZE = 320

/**
 * A raw disk with an XFS root that holds the given files and Debian's cloud kernel, made by mkfs.xfs and by that kernel.
 *
 * @param prepare changes the folder of the files before it is packed
 */
export async function sampleXfs(
  path: string,
  files: Files,
  prepare?: (tree: string) => Promise<unknown>,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sample-xfs-'))
  try {
    const tree = join(folder, 'tree')
    await placeFiles(tree, files)
    await kernelInto(tree, folder)
    await prepare?.(tree)
    const archive = join(folder, 'tree.tar')
    await run('tar', [
      ...['-C', tree, '--sparse', '--xattrs', '--xattrs-include=*', '--numeric-owner'],
      ...['--sort=name', '-cf', archive, '.'],
    ])
    await writeFile(path, '')
    await truncate(path, (SIZE + 4) * MIB)
    await run('sfdisk', ['-q', path], {
      input: `label: gpt\nstart=${XFS_ROOT / 512}, size=${SIZE}MiB, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709\n`,
    })
    await makeXfs({
      disk: path,
      partition: 1,
      uuid: XFS_UUID,
      archive,
      source: folderSource(tree, folder),
      programs: '/',
      scratch: folder,
      signal: new AbortController().signal,
    })
    return path
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The contract tests' kernel, with the few modules that an XFS on a virtio disk needs. */
async function kernelInto(tree: string, folder: string): Promise<void> {
  const raw = join(folder, 'small.raw')
  await run('qemu-img', ['convert', '-O', 'raw', await smallDisk(), raw])
  await using file = await open(raw)
  const { size } = await file.stat()
  const files = (await Ext4Files.open(fileBytes(file, 0, size), 36 * MIB, 900 * MIB))!
  const [{ name: version } = { name: '' }] = await files.list('/usr/lib/modules')
  const modules = `/usr/lib/modules/${version}`
  const needed = ['xfs', 'libcrc32c', 'crc32c_generic', 'virtio_blk', 'virtio(_pci\\w*|_ring)?']
  const dependencies = (await files.text(`${modules}/modules.dep`))!
  const paths = dependencies
    .split('\n')
    .map((line) => line.split(':')[0]!)
    .filter((path) => needed.some((name) => new RegExp(`/${name}\\.ko$`).test(path)))
  const all = [`/boot/vmlinuz-${version}`, ...['dep', 'builtin'].map((name) => `${modules}/modules.${name}`)]
  for (const path of [...all, ...paths.map((one) => `${modules}/${one}`)]) {
    await mkdir(dirname(join(tree, path)), { recursive: true })
    await writeFile(join(tree, path), (await files.read(path, 64 * MIB))!)
  }
  await rm(raw)
}

/** What xfs_repair and the kernel's own tools are given: the file system alone. */
export async function xfsAlone(disk: string, path: string): Promise<string> {
  const from = [`if=${disk}`, `of=${path}`, 'bs=1M', `skip=${XFS_ROOT / MIB}`, `count=${SIZE}`]
  await run('dd', [...from, 'conv=sparse', 'status=none'])
  return path
}
