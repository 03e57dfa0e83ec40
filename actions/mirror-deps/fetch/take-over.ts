import { randomBytes } from 'node:crypto'
import { copyFile, link, mkdir, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { sha256File } from '../../lib/files/digest.ts'

/** Takes a file over from another place on this computer if it has the right bytes: by link, or by copy. */
export async function takeOver(from: string, to: string, sha256: string): Promise<boolean> {
  const there = await stat(from).catch(() => undefined)
  if (!there?.isFile() || (await sha256File(from)) !== sha256) return false
  await mkdir(dirname(to), { recursive: true })
  const partial = `${to}.${randomBytes(4).toString('hex')}.partial`
  try {
    await link(from, partial).catch(() => copyFile(from, partial))
    await rename(partial, to)
  } finally {
    await rm(partial, { force: true })
  }
  return true
}
