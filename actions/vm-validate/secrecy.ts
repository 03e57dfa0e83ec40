import { AsyncLocalStorage } from 'node:async_hooks'
import { copyFile, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Secrets } from '../lib/log/secrets.ts'
import { payloadOf } from '../lib/network/payload.ts'
import { HEADER, readPackets } from '../lib/network/pcap.ts'
import type { Verdict } from './verdict.ts'

const current = new AsyncLocalStorage<Secrets>()

/** Does work whose messages are {@link hidden} from. */
export function keepingSecret<T>(secrets: Secrets, work: () => Promise<T>): Promise<T> {
  return current.run(secrets, work)
}

/** Text without the secrets of the work that is being done: before it is cut, or half of one would be left. */
export function hidden(text: string): string {
  return current.getStore()?.hide(text) ?? text
}

/** A verdict in which no secret is left, whoever wrote it down; names of files and what it is about stay. */
export function concealed(verdict: Verdict, { hide }: Pick<Secrets, 'hide'>): Verdict {
  return {
    ...verdict,
    results: verdict.results.map((result) => ({
      ...result,
      remarks: result.remarks.map(hide),
      steps: result.steps.map((step) => ({
        ...step,
        title: hide(step.title),
        finding: hide(step.finding),
        remarks: step.remarks.map(hide),
        ...(step.output === undefined ? {} : { output: hide(step.output) }),
      })),
    })),
    remarks: verdict.remarks.map(hide),
    escapes: verdict.escapes.map((one) => ({ ...one, to: hide(one.to) })),
  }
}

/** Goes once more over all evidence: what was learned late may have been written early. */
export async function concealFolder(folder: string, secrets: Secrets): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  for (const entry of entries) {
    if (!entry.isFile() || entry.name.endsWith('.png')) continue
    const path = join(entry.parentPath, entry.name)
    const partial = `${path}.partial`
    try {
      await copyConcealed(path, partial, secrets)
      await rename(partial, path)
    } finally {
      await rm(partial, { force: true })
    }
  }
}

/** Copies a file of evidence without the secrets in it. A picture is copied as it is. */
export async function copyConcealed(source: string, target: string, secrets: Secrets): Promise<void> {
  if (/\.png(\.partial)?$/.test(source)) await copyFile(source, target)
  else if (source.endsWith('.pcap')) await copyInPieces(source, target, packets(secrets))
  else await copyInPieces(source, target, lines(secrets))
}

/** What of a piece of a file is finished, as it is to be written, and how much of the piece that was. */
type Finish = (piece: Buffer, last: boolean) => { done: Buffer; used: number }

const PIECE = 1 << 20

/** A secret has no line end in it, so that lines can be looked through on their own. */
function lines({ hideBytes }: Secrets): Finish {
  return (piece, last) => {
    const end = piece.lastIndexOf('\n') + 1
    // A line without an end is looked through in pieces, too.
    const used = last || piece.length >= 4 * PIECE ? piece.length : end
    return { done: used === 0 ? Buffer.alloc(0) : hideBytes(piece.subarray(0, used)), used }
  }
}

/** Packets keep their length: it is written in several places. */
function packets({ cover }: Secrets): Finish {
  let header: Buffer | undefined
  return (piece, last) => {
    if (!header && !last && piece.length < HEADER) return { done: Buffer.alloc(0), used: 0 }
    const found = !header && piece.length < HEADER ? undefined : captured(piece, header)
    if (!found) {
      cover(piece)
      return { done: piece, used: piece.length }
    }
    header ??= Buffer.from(piece.subarray(0, HEADER))
    for (const packet of found.packets) cover(payloadOf(packet))
    // A packet that is not whole is of no use to anybody.
    return { done: piece.subarray(0, found.end), used: last ? piece.length : found.end }
  }
}

function captured(piece: Buffer, header: Buffer | undefined) {
  try {
    return readPackets(piece, header)
  } catch {
    return undefined // no capture, whatever its name
  }
}

async function copyInPieces(source: string, target: string, finish: Finish): Promise<void> {
  await using input = await open(source)
  await using output = await open(target, 'w')
  let rest: Buffer = Buffer.alloc(0)
  for (;;) {
    const chunk = Buffer.alloc(PIECE)
    const { bytesRead } = await input.read(chunk, 0, PIECE)
    const piece = Buffer.concat([rest, chunk.subarray(0, bytesRead)])
    const { done, used } = finish(piece, bytesRead === 0)
    if (done.length > 0) await output.writeFile(done)
    if (bytesRead === 0) return
    rest = piece.subarray(used)
  }
}
