import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RecipeFile } from '../../lib/definition/recipe-types.ts'
import type { ToolsRoot } from '../../lib/tools/tools.ts'
import { contentOf } from './answers.ts'

/** Kilobytes of the one kind of floppy disk that every PC reads. */
const SIZE = 1440

/** A floppy disk with the definition's files on it (FAT12). */
export async function makeFloppy(
  image: string,
  files: readonly RecipeFile[],
  folder: string,
  work: string,
  tools: ToolsRoot,
): Promise<void> {
  const env = { SOURCE_DATE_EPOCH: '1', TZ: 'UTC', MTOOLS_SKIP_CHECK: '1' }
  const content = join(work, 'floppy')
  await rm(image, { force: true })
  await mkdir(content, { recursive: true })
  await tools.run('mkfs.vfat', ['--invariant', '-F', '12', '-n', 'FLOPPY', '-C', image, String(SIZE)], {
    env,
  })
  for (const file of files) {
    const path = join(content, file.name)
    await writeFile(path, await contentOf(file, folder))
    await tools.run('mcopy', ['-i', image, path, `::${file.name}`], { env })
  }
}
