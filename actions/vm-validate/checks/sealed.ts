import { mkdtemp, open, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { dataExtents } from '../../lib/disk/extents.ts'
import { run } from '../../lib/process/command.ts'
import { formatSize } from '../../lib/units/size.ts'
import type { Check, CheckContext, Found } from './check.ts'
import { faultsFound, hygieneChecks } from './hygiene.ts'

/** Bytes of a disk that are looked through at a time. */
const CHUNK = 1 << 20

/** Those of the hygiene checks that are about the machine's identity. */
const identity = /machine-id|host keys/

async function hygiene({ course, spec, publicKey, signal }: CheckContext, which: boolean): Promise<Found> {
  const faults: string[] = []
  const { root } = spec.pack
  const shippedKeys =
    typeof root === 'object' && 'key' in root ? (await readFile(root.key, 'utf8')).split('\n') : []
  for (const check of hygieneChecks({ publicKey, shippedKeys, hostname: spec.name, root: '' })) {
    if (identity.test(check.title) !== which) continue
    const found = await faultsFound(course.test.guest, check, signal)
    faults.push(...found.map((fault) => `not so: ${check.title}: ${fault}`))
  }
  return { faults, finding: 'so it is' }
}

/** Reads every byte of the disk that is no hole, and looks for what must not be there. */
async function secrets({ course, publicKey, disk, signal }: CheckContext): Promise<Found> {
  const key = publicKey.trim().split(/\s+/)[1]
  const wanted = [
    ...(key ? [{ name: 'the build’s SSH key', bytes: Buffer.from(key) }] : []),
    // Short ones are found by chance.
    ...[...course.secrets].flatMap((secret, index) =>
      secret.length >= 8 ? [{ name: `secret ${index + 1} of the spec`, bytes: Buffer.from(secret) }] : [],
    ),
  ]
  const folder = await mkdtemp(join(course.workDirectory, 'bytes-'))
  try {
    const raw = join(folder, 'disk.raw')
    await run('qemu-img', ['convert', '-q', '-f', disk.format, '-O', 'raw', disk.path, raw], { signal })
    const longest = Math.max(0, ...wanted.map(({ bytes }) => bytes.length))
    const found = new Set<string>()
    let read = 0
    // One buffer for all: what was read last, as long as the longest that is wanted, stands before what is read next.
    const buffer = Buffer.alloc(longest + CHUNK)
    await using file = await open(raw)
    for (const { start, length } of await dataExtents(raw, signal)) {
      let kept = 0
      for (let at = start; at < start + length; ) {
        signal.throwIfAborted()
        const { bytesRead } = await file.read(buffer, kept, Math.min(CHUNK, start + length - at), at)
        if (bytesRead === 0) break
        const window = buffer.subarray(0, kept + bytesRead)
        for (const { name, bytes } of wanted) if (window.includes(bytes)) found.add(name)
        kept = Math.min(longest, window.length)
        window.copy(buffer, 0, window.length - kept)
        at += bytesRead
        read += bytesRead
      }
    }
    const size = (await stat(raw)).size
    return {
      faults: [...found].map((name) => `${name} is on the disk`),
      finding: `none of ${wanted.length} in ${formatSize(read)} of ${formatSize(size)}`,
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** What only a sealed disk, booted for the first time, can pass. */
export const sealedChecks: readonly Check[] = [
  { name: 'identity', sealed: true, limit: 5 * 60_000, look: (context) => hygiene(context, true) },
  { name: 'sealed', sealed: true, limit: 10 * 60_000, look: (context) => hygiene(context, false) },
  { name: 'secrets', sealed: true, limit: 15 * 60_000, look: secrets },
]
