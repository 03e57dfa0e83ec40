import { readFile } from 'node:fs/promises'

/** A file's text; empty where there is none. */
export async function textOf(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch(() => '')
}
