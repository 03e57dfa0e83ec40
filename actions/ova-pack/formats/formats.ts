import { open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { BoxMachine } from '../../lib/box/provider.ts'
import type { Log } from '../../lib/log/log.ts'
import { run } from '../../lib/process/command.ts'
import { packQcow2 } from '../../lib/qcow2/file.ts'
import type { Format, Level } from '../../lib/spec/pack.ts'
import { writeVmdk } from '../../lib/vmdk/file.ts'
import { packBox } from './box.ts'
import { packVhdx } from './vhdx.ts'

/** zlib's and zstd's level for each of ours (`script/bench pack` measures them). */
export const zlibLevels: Record<Level, number> = { fast: 3, normal: 5, small: 9 }
const zstdLevels: Record<Level, number> = { fast: 1, normal: 3, small: 12 }

export interface FormatOrder {
  /** Raw disk, sealed. */
  disk: string
  /** Without extension: `build/ova-pack/license-server-1.4.0`. */
  stem: string
  level: Level
  machine: BoxMachine
  /** On the same file system. */
  work: string
  log: Log
  signal: AbortSignal
}

/** Every format but the OVA; each has its final name only when it is whole. */
const writers: Record<Exclude<Format, 'ova'>, (path: string, order: FormatOrder) => Promise<void>> = {
  async qcow2(path, { disk, level, signal }) {
    await packQcow2(disk, path, { signal, level: zlibLevels[level] })
  },
  vmdk: (path, order) => whole(path, (partial) => streamOptimized(partial, basename(path), order)),
  vhdx: (path, { disk, signal }) => whole(path, (partial) => packVhdx(disk, partial, signal)),
  'raw.zst': (path, { disk, level, signal }) =>
    whole(path, async (partial) => {
      // Several threads or one, zstd's bytes are the same as long as it is told that there may be several.
      await run('zstd', ['-q', '-f', '-T0', `-${zstdLevels[level]}`, '-o', partial, disk], { signal })
    }),
  box: (path, { disk, level, machine, work, signal }) =>
    packBox(disk, path, machine, work, { signal, level: zlibLevels[level] }),
}

/** @returns the file's path */
export async function packFormat(format: Exclude<Format, 'ova'>, order: FormatOrder): Promise<string> {
  const path = `${order.stem}.${format}`
  await writers[format](path, order)
  return path
}

async function whole(path: string, write: (partial: string) => Promise<void>): Promise<void> {
  const partial = join(dirname(path), `.${basename(path)}.partial`)
  try {
    await rm(partial, { force: true })
    await write(partial)
    await rename(partial, path)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}

async function streamOptimized(
  partial: string,
  name: string,
  { disk, level, log, signal }: FormatOrder,
): Promise<void> {
  const capacity = (await stat(disk)).size
  const file = await open(partial, 'w')
  try {
    await writeVmdk({ disk, capacity, name, log, signal, level: zlibLevels[level] }, (bytes) =>
      file.writeFile(bytes),
    )
    await file.datasync()
  } finally {
    await file.close()
  }
}
