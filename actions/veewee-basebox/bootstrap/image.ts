import { open, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { uuidOf } from '../../lib/disk/uuid.ts'
import { run } from '../../lib/process/command.ts'
import type { ToolsRoot } from '../../lib/tools/tools.ts'
import { biosBoot, earlyConfiguration, uefiImage } from './grub.ts'
import { makeXfsRoot } from './xfs-root.ts'

const SECTOR = 512
const MIB = 2 ** 20

/** Where the partitions lie, in bytes. */
const bios = { start: MIB, size: MIB }
const esp = { start: 2 * MIB, size: 64 * MIB }
const rootStart = esp.start + esp.size
/** Of the root among the partitions. */
const ROOT_NUMBER = 3

/** The backup partition table, 33 sectors, rounded as systemd-repart does: it finds nothing to grow at first. */
const BACKUP = 20 << 10

/** Partition types (UEFI specification 2.10 §5.3.3; Discoverable Partitions Specification). */
const types = {
  bios: '21686148-6449-6E6F-744E-656564454649',
  esp: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
  root: '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709',
}

export interface ImageFacts {
  /** Folder of the root file system. */
  root: string
  rootUuid: string
  /** Bytes, a whole number of MiB. */
  size: number
  filesystem: 'ext4' | 'xfs'
  /** Every other identifier on the disk comes from it. */
  seed: string
  /** Seconds since 1970; no file is younger. */
  epoch: number
  work: string
  signal: AbortSignal
}

/**
 * One disk that boots by BIOS and by UEFI: GPT, BIOS-boot partition, ESP, root. Without loop devices or mounts: every
 * piece is written at its place in a sparse file, by the tools root's programs.
 *
 * @param path the raw disk to make
 */
export async function makeImage(path: string, facts: ImageFacts, tools: ToolsRoot): Promise<void> {
  const { root, rootUuid, size, filesystem, seed, epoch, work, signal } = facts
  await writeFile(path, '')
  await truncate(path, size)
  await tools.run('sfdisk', ['-q', path], { input: partitionTable(facts), signal })

  const early = join(work, 'early.cfg')
  await writeFile(early, earlyConfiguration(rootUuid))
  const disk = await open(path, 'r+')
  try {
    for (const piece of await biosBoot(tools, early, work, {
      start: bios.start / SECTOR,
      filesystem,
      signal,
    }))
      await disk.write(piece.bytes, 0, piece.bytes.length, piece.at)
    const image = await makeEsp(tools, early, facts)
    await copyInto(disk, image, esp.start)
  } finally {
    await disk.close()
  }

  if (filesystem === 'xfs') {
    await makeXfsRoot(path, ROOT_NUMBER, facts, tools)
    return
  }
  const rootSize = size - rootStart - BACKUP
  const options = [
    `offset=${rootStart}`,
    `hash_seed=${uuidOf(`${seed} hash`)}`,
    'lazy_itable_init=0',
    'assume_storage_prezeroed=1',
  ]
  await tools.run(
    'mke2fs',
    [
      '-q',
      '-F',
      '-t',
      'ext4',
      '-d',
      root,
      '-U',
      rootUuid,
      '-L',
      'root',
      '-J',
      'size=64',
      '-m',
      '1',
      '-E',
      options.join(','),
      path,
      `${rootSize / 1024}k`,
    ],
    { env: { SOURCE_DATE_EPOCH: String(epoch) }, signal },
  )
}

function partitionTable({ size, seed }: ImageFacts): string {
  const line = (name: keyof typeof types, start: number, bytes: number) =>
    `start=${start / SECTOR}, size=${bytes / SECTOR}, type=${types[name]}, uuid=${uuidOf(`${seed} ${name}`)}, name="${name}"\n`
  return `label: gpt
label-id: ${uuidOf(`${seed} disk`)}
first-lba: 2048
unit: sectors
sector-size: ${SECTOR}

${line('bios', bios.start, bios.size)}${line('esp', esp.start, esp.size)}${line('root', rootStart, size - rootStart - BACKUP)}`
}

/** The EFI system partition with GRUB where firmware looks when it was told nothing: EFI/BOOT/BOOTX64.EFI. */
async function makeEsp(
  tools: ToolsRoot,
  early: string,
  { filesystem, seed, epoch, work, signal }: ImageFacts,
): Promise<string> {
  const image = join(work, 'esp.img')
  const loader = await uefiImage(tools, early, work, { filesystem, signal })
  await utimes(loader, epoch, epoch)
  const env = { SOURCE_DATE_EPOCH: String(epoch), TZ: 'UTC' }
  const id = uuidOf(`${seed} esp`).slice(0, 8)
  await run('rm', ['-f', image])
  await tools.run(
    'mkfs.vfat',
    ['--invariant', '-F', '32', '-i', id, '-n', 'ESP', '-C', image, String(esp.size / 1024)],
    { env, signal },
  )
  await tools.run('mmd', ['-i', image, '::EFI', '::EFI/BOOT'], { env, signal })
  await tools.run('mcopy', ['-m', '-i', image, loader, '::EFI/BOOT/BOOTX64.EFI'], { env, signal })
  return image
}

/** Copies a file's content to an offset, leaving out what is zero, so that the disk stays sparse. */
async function copyInto(disk: Awaited<ReturnType<typeof open>>, from: string, offset: number): Promise<void> {
  const source = await open(from, 'r')
  try {
    const buffer = Buffer.alloc(MIB)
    for (let at = 0; ; ) {
      const { bytesRead } = await source.read(buffer, 0, buffer.length, at)
      if (bytesRead === 0) return
      if (!buffer.subarray(0, bytesRead).every((byte) => byte === 0))
        await disk.write(buffer, 0, bytesRead, offset + at)
      at += bytesRead
    }
  } finally {
    await source.close()
  }
}
