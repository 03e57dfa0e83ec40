import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { basename, extname } from 'node:path'
import { pipeline } from 'node:stream/promises'
import send from 'send'

/** What the register of media types that `send` goes by does not know, or has another name for. */
const types: Record<string, string> = {
  '.deb': 'application/vnd.debian.binary-package',
  '.gem': 'application/octet-stream',
  '.iso': 'application/x-iso9660-image',
  '.rpm': 'application/x-rpm',
  '.rz': 'application/octet-stream',
  '.xml': 'application/xml',
  '.yml': 'application/yaml',
  '.zst': 'application/zstd',
  '.yaml': 'application/yaml',
}

/** Indexes without an extension, which people may want to read. */
const texts = new Set(['InRelease', 'Release', 'Packages', 'versions', 'names', 'HEAD'])

/** Compact indexes are small; what is larger is none. */
const LARGEST_INDEX = 64 << 20

/**
 * Sends a file: GET and HEAD, a range, conditional requests (RFC 9110, 13 and 14). The validator is strong, for a
 * file of the tree is replaced, never written to.
 *
 * @param root of the tree
 * @param names of the file in it, decoded
 * @param path of the file
 */
export async function sendFile(
  root: string,
  names: readonly string[],
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { size, mtimeNs } = await stat(path, { bigint: true })
  const validator = `"${size.toString(16)}-${mtimeNs.toString(16)}"`
  const headers = { 'x-content-type-options': 'nosniff', ...(await headersOf(names, path, size, validator)) }
  // `send` says that a file does not have its last 99 bytes when it has 10; RFC 9110, 14.1.2 says it is all then.
  const [, suffix] = /^bytes=-(\d{1,15})$/.exec(request.headers.range ?? '') ?? []
  if (suffix !== undefined && size > 0 && BigInt(suffix) > size) request.headers.range = 'bytes=0-'
  const address = names.map((name) => encodeURIComponent(name)).join('/')
  await new Promise<void>((resolve, reject) => {
    response.once('close', resolve)
    send(request, `/${address}`, { root, dotfiles: 'allow', index: false, cacheControl: false })
      .on('headers', (to: ServerResponse) => {
        for (const [name, value] of Object.entries(headers)) to.setHeader(name, value)
      })
      .on('directory', () => reject(new Error(`${path} became a folder`)))
      .on('error', (error: Error & { status?: number; headers?: Record<string, string> }) => {
        // A range that the file does not have, a condition that does not hold: answers like any other.
        if (response.headersSent || error.status === undefined || error.status >= 500) return reject(error)
        response.writeHead(error.status, { ...error.headers, 'content-length': 0 }).end()
      })
      .pipe(response)
  })
}

async function headersOf(
  names: readonly string[],
  path: string,
  size: bigint,
  etag: string,
): Promise<Record<string, string>> {
  if (isCompactIndex(names) && size <= LARGEST_INDEX) return await compactIndexHeaders(path)
  const name = basename(path)
  const type =
    types[extname(name).toLowerCase()] ?? (texts.has(name) ? 'text/plain; charset=utf-8' : undefined)
  return {
    etag,
    ...(type === undefined ? {} : { 'content-type': type }),
  }
}

/** `versions`, `names` and `info/NAME` of a gem source, wherever it lies; not `info/refs` of a git repository. */
function isCompactIndex(names: readonly string[]): boolean {
  const [folder, name] = [names.at(-2), names.at(-1)]
  if (names.some((one) => one.endsWith('.git'))) return false
  return name === 'versions' || name === 'names' || folder === 'info'
}

/**
 * Bundler before 2.5 takes the ETag of a compact index for the MD5 of its content, as rubygems.org has it, and
 * refuses the file where it is something else; from 2.5 on it looks at `Repr-Digest`.
 *
 * @see bundler's CompactIndexClient::Updater; https://guides.rubygems.org/rubygems-org-compact-index-api/; RFC 9530
 */
async function compactIndexHeaders(path: string): Promise<Record<string, string>> {
  const [md5, sha256] = [createHash('md5'), createHash('sha256')]
  await pipeline(createReadStream(path), async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) {
      md5.update(chunk)
      sha256.update(chunk)
    }
  })
  return {
    etag: `"${md5.digest('hex')}"`,
    'repr-digest': `sha-256=:${sha256.digest('base64')}:`,
    'content-type': 'text/plain; charset=utf-8',
  }
}
