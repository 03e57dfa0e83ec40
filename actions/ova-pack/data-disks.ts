import { stat, truncate, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { dataExtents } from '../lib/disk/extents.ts'
import type { Log } from '../lib/log/log.ts'
import { run } from '../lib/process/command.ts'
import type { Spec } from '../lib/spec/spec.ts'
import { scan } from './scan.ts'
import type { Needle } from './secrets.ts'
import { type Allowed, judgeDataDisk, refuseSecrets, type Suspect } from './suspects.ts'

const MIB = 2 ** 20

/**
 * Further disks as raw ones of whole MiB: empty, or read from an image of whatever kind, with all the images it is
 * an overlay of.
 */
export async function dataDisks(
  wanted: Spec['pack']['hardware']['data_disks'],
  folder: string,
  signal: AbortSignal,
): Promise<string[]> {
  const made: string[] = []
  for (const [index, { size, file }] of wanted.entries()) {
    const path = join(folder, `data-${index + 1}.raw`)
    if (file === undefined) {
      await writeFile(path, '')
      await truncate(path, Math.ceil(size! / MIB) * MIB)
    } else {
      await run('qemu-img', ['convert', '-q', '-O', 'raw', '-S', '4k', file, path], { signal })
      const { stdout } = await run('qemu-img', ['info', '-f', 'raw', '--output=json', path], { signal })
      const bytes = (JSON.parse(stdout) as { 'virtual-size': number })['virtual-size']
      await truncate(path, Math.ceil(bytes / MIB) * MIB)
    }
    made.push(path)
  }
  return made
}

export interface DataDiskOrder {
  wanted: Spec['pack']['hardware']['data_disks']
  /** Raw disks, as {@link dataDisks} made them. */
  disks: readonly string[]
  needles: readonly Needle[]
  allowed: readonly Allowed[]
  log: Log
  signal: AbortSignal
}

/**
 * Looks for secrets on those that are not empty; they are shipped as they are, so nothing is taken off them.
 *
 * @returns what may stay
 * @throws ApplianceError `check-failed` that names what may not
 */
export async function searchDataDisks(order: DataDiskOrder): Promise<Suspect[]> {
  const { wanted, disks, needles, allowed, log, signal } = order
  const suspects: Suspect[] = []
  for (const [index, { file }] of wanted.entries()) {
    if (file === undefined) continue
    const disk = disks[index]!
    const { size } = await stat(disk)
    const finds = await scan(disk, size, await dataExtents(disk, signal), needles, log, signal)
    suspects.push(...judgeDataDisk(finds, basename(file), allowed))
  }
  refuseSecrets(suspects)
  return suspects
}
