import { mkdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { writeAtomically } from '../lib/files/atomic.ts'
import { endOfFile } from '../lib/files/end.ts'
import type { Secrets } from '../lib/log/secrets.ts'
import { within } from './deadline.ts'
import { copyConcealed } from './secrecy.ts'
import type { TestMachine } from './test-machine.ts'

/** Bytes of a log that are kept as evidence: its end. */
const LONGEST_LOG = 4 << 20
/** The same of a machine's own logs, which have a limit already (lib/files/bounded-log.ts). */
const LONGEST_FILE = 10 << 20

/** A file of evidence that the collector of a scenario already has: its name and content. */
export interface EvidenceText {
  name: string
  content: string
}

/**
 * Gathers what shows why something failed: the screen, the serial console and the hypervisor's words, the guest's
 * journal, `texts` and `kept` files. What cannot be had (the machine may be dead) is left out.
 *
 * @param secrets are taken out of all but pictures
 * @returns absolute paths of the files written
 */
export async function collectEvidence(
  test: TestMachine,
  folder: string,
  texts: readonly EvidenceText[],
  kept: readonly string[],
  secrets: Secrets,
  signal: AbortSignal,
): Promise<string[]> {
  await mkdir(folder, { recursive: true })
  const files: string[] = []
  const attempt = async (
    name: string,
    limit: number,
    make: (path: string, signal: AbortSignal) => Promise<void>,
  ) => {
    const path = join(folder, name)
    try {
      await within(limit, signal, name, (signal) => make(path, signal))
      if ((await stat(path)).size > 0) files.push(path)
    } catch {
      signal.throwIfAborted()
    }
  }

  for (const { name, content } of texts)
    await attempt(name, 5_000, (path) => writeAtomically(path, secrets.hide(content)))
  for (const source of kept)
    await attempt(basename(source).replace(/^\./, ''), 20_000, (path) => copyConcealed(source, path, secrets))
  const { machine } = test
  if (machine) await attempt('screen.png', 20_000, (path) => machine.screenshot(path))
  for (const source of test.evidence)
    await attempt(basename(source), 20_000, (path) => keepEnd(source, path, secrets))
  if (!machine) return files
  await attempt('journal.txt', 90_000, async (path, signal) => {
    const command = `journalctl -b --no-pager -o short-precise | tail -c ${LONGEST_LOG}`
    const { stdout } = await test.guest.run(command, { signal, timeout: 90_000, allowFailure: true })
    await writeAtomically(path, secrets.hide(wholeLines(stdout, LONGEST_LOG)))
  })
  return files
}

async function keepEnd(source: string, target: string, secrets: Secrets): Promise<void> {
  if (!/\.(log|txt)$/.test(source)) return copyConcealed(source, target, secrets)
  const text = (await endOfFile(source, LONGEST_FILE)).toString('utf8')
  await writeAtomically(target, secrets.hide(wholeLines(text, LONGEST_FILE)))
}

/** Of a text that was cut at its beginning, where it had so many bytes, what begins with a line: no half of a secret. */
function wholeLines(text: string, most: number): string {
  return Buffer.byteLength(text) < most ? text : text.slice(text.indexOf('\n') + 1)
}

/** The last lines of something long, for a message: at most `lines` lines and 4,000 characters. */
export function tail(text: string, lines = 20): string {
  return text.trimEnd().split('\n').slice(-lines).join('\n').slice(-4000)
}

/** A scenario's name as a folder's: `A licence survives` → `a-licence-survives`; `taken` makes it unique. */
export function folderName(name: string, taken: Set<string>): string {
  const words = name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
  const base = words.slice(0, 60) || 'scenario'
  let unique = base
  for (let n = 2; taken.has(unique); n++) unique = `${base}-${n}`
  taken.add(unique)
  return unique
}
