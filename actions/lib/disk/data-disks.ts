import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../process/command.ts'
import type { Spec } from '../spec/spec.ts'

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
