import { basename } from 'node:path'
import type { IsoImage } from './recipe-types.ts'

/** The mirror's image that a definition means: the one whose name, or last part of whose address, its `iso_file` is. */
export function isoSourceOf<T extends { name: string; url: string }>(
  { file }: Pick<IsoImage, 'file'>,
  sources: readonly T[],
): T | undefined {
  const wanted = basename(file)
  return sources.find(({ name, url }) => name === wanted || lastPart(url) === wanted)
}

/** What is to be done where the mirror has no such image. */
export function isoWanted({ file, source, digests, instructions }: IsoImage): string {
  const sha256 = digests.find(({ algorithm }) => algorithm === 'sha256')?.hex
  const address = source && URL.canParse(source) ? source : `https://…/${basename(file)}`
  const entry = [`url: ${address}`, ...(sha256 ? [`sha256: ${sha256}`] : [])].join(', ')
  const how = instructions ? ` (the definition says: ${instructions})` : ''
  return `its ISO ${basename(file)} is not in the mirror: write { ${entry} } under mirror.iso${how}`
}

function lastPart(url: string): string {
  return URL.canParse(url) ? decodeURIComponent(new URL(url).pathname.split('/').at(-1) ?? '') : ''
}
