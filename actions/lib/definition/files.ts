import { createHash, type Hash } from 'node:crypto'
import { closeSync, fstatSync, openSync, readFileSync, readSync, realpathSync } from 'node:fs'
import { relative, resolve, sep } from 'node:path'

/** A file's bytes, or one phrase that says why there are none: `does not exist`. */
export type FileRead = { bytes: Buffer } | { trouble: string }

/** All that reading a definition wants from the outside. Paths are absolute or relative to the definition's folder. */
export interface DefinitionFiles {
  read(path: string): FileRead
  /** The digest of a file of any size, in lower-case hexadecimal digits. */
  digest(algorithm: DigestAlgorithm, path: string): { hex: string } | { trouble: string }
  /** The digest of a text. */
  digestOf(algorithm: DigestAlgorithm, text: string): { hex: string }
  /** The path relative to the working directory, for people. */
  shown(path: string): string
}

export type DigestAlgorithm = 'md5' | 'sha1' | 'sha256' | 'sha384' | 'sha512'

/** No definition, answer file or script is larger. */
const MOST_BYTES = 4 << 20

/**
 * The files of a real folder.
 *
 * @param folder the definition's
 * @param root nothing outside it is read, not even through symbolic links: a definition may come from a stranger,
 *   and what it reads ends up in the machine
 */
export function definitionFiles(folder: string, root: string): DefinitionFiles {
  const shown = (path: string) => relative(root, resolve(folder, path)) || '.'
  const open = (path: string): { handle: number } | { trouble: string } => {
    if (path.includes('\0')) return { trouble: 'has a name that no file can have' }
    try {
      const real = realpathSync(resolve(folder, path))
      const inside = relative(realpathSync(root), real)
      if (inside === '..' || inside.startsWith(`..${sep}`) || resolve(inside) === inside)
        return { trouble: 'lies outside the folder of the appliance and is not read' }
      const handle = openSync(real, 'r')
      if (fstatSync(handle).isFile()) return { handle }
      closeSync(handle)
      return { trouble: 'is not a file' }
    } catch (error) {
      return { trouble: troubleOf(error) }
    }
  }
  return {
    shown,
    read(path) {
      const opened = open(path)
      if ('trouble' in opened) return opened
      try {
        if (fstatSync(opened.handle).size > MOST_BYTES)
          return { trouble: `is larger than ${MOST_BYTES >> 20} MiB` }
        return { bytes: readFileSync(opened.handle) }
      } catch (error) {
        return { trouble: troubleOf(error) }
      } finally {
        closeSync(opened.handle)
      }
    },
    digestOf: (algorithm, text) => ({ hex: createHash(algorithm).update(text).digest('hex') }),
    digest(algorithm, path) {
      const opened = open(path)
      if ('trouble' in opened) return opened
      try {
        return { hex: hashOf(opened.handle, createHash(algorithm)) }
      } catch (error) {
        return { trouble: troubleOf(error) }
      } finally {
        closeSync(opened.handle)
      }
    },
  }
}

function hashOf(handle: number, hash: Hash): string {
  const piece = Buffer.allocUnsafe(1 << 20)
  for (let length = readSync(handle, piece); length > 0; length = readSync(handle, piece))
    hash.update(piece.subarray(0, length))
  return hash.digest('hex')
}

function troubleOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'does not exist'
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read'
  if (code === 'ELOOP') return 'is a symbolic link that leads back to itself'
  if (code === 'ENAMETOOLONG') return 'has a name that no file can have'
  return `cannot be read (${code ?? 'unknown'})`
}

/** Strict UTF-8, without a byte order mark; `undefined` when it is another encoding. */
export function decode(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}
