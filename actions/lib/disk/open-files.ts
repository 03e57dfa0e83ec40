import type { Bytes } from '../files/bytes.ts'
import { Ext4Files } from './ext4-files.ts'
import type { GuestFiles } from './guest-files.ts'
import { XfsFiles } from './xfs/files.ts'

/** A guest's file system at a place of a disk; undefined where there is none that can be read. */
export async function openGuestFiles(
  disk: Bytes,
  start: number,
  length: number,
): Promise<GuestFiles | undefined> {
  return (await Ext4Files.open(disk, start, length)) ?? (await XfsFiles.open(disk, start, length))
}
