import { open } from 'node:fs/promises'
import { alignedStretches, type Extent } from '../lib/disk/extents.ts'
import { ApplianceError } from '../lib/errors/error.ts'
import type { Log } from '../lib/log/log.ts'
import { AFTER, BEFORE, type Needle } from './secrets.ts'

const CHUNK = 4 << 20
/** Of one kind. Where each has to be judged, more than this is refused; where one is enough, more tell nothing new. */
const MOST = 20_000

export interface Find {
  needle: Needle
  /** Byte of the disk at which it begins. */
  offset: number
}

/**
 * Looks through everything on a raw disk, whether files use it or not, 4 MiB at a time.
 *
 * @param most finds of one kind that are kept
 * @throws ApplianceError `check-failed` where there are more of a kind of which each has to be judged
 */
export async function scan(
  disk: string,
  size: number,
  extents: readonly Extent[],
  needles: readonly Needle[],
  log: Log,
  signal: AbortSignal,
  most = MOST,
): Promise<Find[]> {
  const finds: Find[] = []
  const counts = new Map<string, number>()
  const stretches = [...alignedStretches(extents, CHUNK, size)]
  const progress = log.progress(
    'looking for secrets',
    stretches.reduce((total, { length }) => total + length, 0),
    'bytes',
  )
  const file = await open(disk, 'r')
  const buffer = Buffer.alloc(BEFORE + CHUNK + AFTER)
  try {
    for (const { offset, length } of stretches) {
      signal.throwIfAborted()
      const lead = Math.min(BEFORE, offset)
      const { bytesRead } = await file.read(buffer, 0, lead + length + AFTER, offset - lead)
      const content = buffer.subarray(0, bytesRead)
      for (const needle of needles)
        for (const at of occurrences(content, needle, lead, lead + length)) {
          const count = (counts.get(needle.name) ?? 0) + 1
          counts.set(needle.name, count)
          if (count <= most) finds.push({ needle, offset: offset - lead + at })
          else if (needle.tolerable) throw tooMany(needle, most)
          else break
        }
      progress.add(length)
    }
  } finally {
    progress.done()
    await file.close()
  }
  return finds.sort((a, b) => a.offset - b.offset)
}

function tooMany({ name }: Needle, most: number): ApplianceError {
  return new ApplianceError(
    'check-failed',
    `sealing: the disk holds ${name} more than ${most} times: they are not all looked at`,
    { hint: 'Remove what holds them while provisioning, or by pack.seal.extra.' },
  )
}

/** Where `needle` begins between `from` and `to`; what follows `to` only serves to see it whole. */
function* occurrences(content: Buffer, needle: Needle, from: number, to: number): Generator<number> {
  for (
    let at = content.indexOf(needle.bytes, from);
    at >= 0 && at < to;
    at = content.indexOf(needle.bytes, at + 1)
  ) {
    const begin = Math.max(0, at - BEFORE)
    const around = content.toString('latin1', begin, at + needle.bytes.length + AFTER)
    if (!needle.confirm || needle.confirm(around, at - begin)) yield at
  }
}
