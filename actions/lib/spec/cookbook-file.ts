import { dirname, join, resolve } from 'node:path'
import { textOf } from '../files/text.ts'

/** A Berksfile or a Policyfile whose cookbooks the mirror has. */
export interface CookbookFile {
  kind: 'berksfile' | 'policyfile'
  /** Relative to the spec's folder. */
  name: string
  /** Absolute. */
  path: string
}

/** Those of all steps of a spec, each once. */
export function cookbookFilesOf({
  provision,
}: {
  provision: readonly { kind: string; solved?: CookbookFile | undefined }[]
}): CookbookFile[] {
  const files = provision.flatMap(({ solved }) => solved ?? [])
  return files.filter((file, index) => files.findIndex(({ path }) => path === file.path) === index)
}

/** The lock that Berkshelf or chef-cli keeps beside it. */
export function lockBeside({ kind, path }: CookbookFile): string {
  return kind === 'berksfile' ? `${path}.lock` : path.replace(/\.rb$/, '.lock.json')
}

/**
 * Every text that decides what cookbooks it needs: itself, its lock, and the metadata of cookbooks that it takes from a
 * path, as far as it says so in plain words.
 */
export async function cookbookTexts(file: CookbookFile): Promise<string[]> {
  const text = await textOf(file.path)
  const folder = dirname(file.path)
  const paths = [...text.matchAll(/\bpath(?::|\s*=>)\s*(['"])([^'"]+)\1/g)].map(([, , path]) => path!)
  if (/^\s*metadata\b/m.test(text)) paths.push('.')
  const metadata = paths.flatMap((path) =>
    ['metadata.rb', 'metadata.json'].map((name) => join(resolve(folder, path), name)),
  )
  return [text, ...(await Promise.all([lockBeside(file), ...metadata].map(textOf)))]
}
