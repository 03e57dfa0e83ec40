import { readFile } from 'node:fs/promises'
import { ApplianceError } from '../lib/errors/error.ts'
import type { Guest } from '../lib/guest/guest.ts'
import type { Log } from '../lib/log/log.ts'
import type { Spec } from '../lib/spec/spec.ts'
import { formatDuration } from '../lib/units/duration.ts'

/** Something of the build's that may be in a file of the guest. */
export interface Trace {
  what: string
  hint: string
  /** For grep: alternatives, one a line. They are among no program's arguments. */
  pattern: string
}

/** A trace that stayed, or Chef that did, and what to do about it. */
export interface Left {
  message: string
  hint: string
}

/** How a trace is looked for. */
interface Search {
  /** For find: where. */
  places: readonly string[]
  /** For find: below which of them not. */
  except: readonly string[]
  /** For find: what kind of file, and grep's options. */
  only: string
  grep: string
}

/** What is in memory, and stays on no disk. */
const noDisk = ['/proc', '/sys', '/dev', '/run']
/** ms for a search of the whole disk, on whatever computer. */
export const SEARCH = 10 * 60_000
/** Anything shorter is found in any file. Characters. */
const SHORTEST = 8

/** Where a step may have written what only the build needs: settings and data, not the packages' own files. */
export const settingsPlaces = [
  '/etc',
  '/home',
  '/opt',
  '/root',
  '/srv',
  '/usr/local',
  '/usr/lib/systemd',
  '/var',
]

/** Text in settings and data; the rest of the disk ova-pack empties, or looks at byte by byte. */
const inSettings: Search = {
  places: settingsPlaces,
  except: ['/var/log', '/var/cache', '/var/tmp', '/var/lib/dpkg', '/var/lib/apt', '/var/lib/rpm'],
  only: '-xdev -size -4096k',
  grep: '-IE',
}

/** These very bytes in any file. */
const anywhere: Search = { places: ['/'], except: noDisk, only: '', grep: '-aF' }

/** Most of a system's folders: the kernel's, and what documents packages; no gem is ever there. */
const noGems = ['/usr/lib/modules', '/usr/share/doc']

/** In the guest's shell: folders that a Chef came in as a gem, wherever on the disk. */
export const chefGems = `LC_ALL=C find / ${pruned([...noDisk, ...noGems])} -o -type d -path '*/gems/chef-[0-9]*' -prune -print 2>/dev/null`

/** What every build leaves in settings unless a step cleans up after itself; patterns are extended regular expressions. */
export function settingsTraces(mirrorUrl: string, publicKey: string): Trace[] {
  return [
    {
      what: 'the mirror’s address',
      // As ova-pack knows it: whatever follows it, unless the name goes on.
      pattern: `${escaped(mirrorUrl.replace(/\/$/, ''))}($|[^A-Za-z0-9_.:-])`,
      hint: 'The mirror exists only during the build: let the step that wrote it put the real address there.',
    },
    {
      what: 'the build’s SSH key',
      pattern: escaped(publicKey.split(' ')[1]!),
      hint: 'No one at the customer’s may come in by it: let the step that copied it leave it alone.',
    },
  ]
}

/** The secrets that data bags were opened with, each once: several steps may use the same. */
async function secretTraces(steps: Spec['provision'], log: Log): Promise<Trace[]> {
  const texts = new Set<string>()
  for (const step of steps) {
    if (step.kind !== 'chef_solo' || !step.dataBagSecret) continue
    const { env, file } = step.dataBagSecret
    texts.add(env === undefined ? await readFile(file!, 'utf8') : (process.env[env] ?? ''))
  }
  const found: Trace[] = []
  for (const text of texts) {
    const lines = text.split('\n').map((line) => line.trim())
    // Of one in several lines any that nobody else has; the frame of a PEM file anybody may have.
    const pattern = lines.filter((line) => line.length >= SHORTEST && !line.startsWith('-----')).join('\n')
    if (pattern)
      found.push({
        what: 'the secret of the data bags',
        hint: 'A recipe that needs what is in a data bag writes that, not what it is opened with.',
        pattern,
      })
    else if (text.trim())
      log.warn(
        `the secret of the data bags has fewer than ${SHORTEST} characters: the disk cannot be searched for it`,
      )
  }
  return found
}

/** The data bags' secrets that stayed, wherever on the disk. */
export async function leftSecrets(
  guest: Guest,
  steps: Spec['provision'],
  signal: AbortSignal,
  log: Log,
): Promise<Left[]> {
  return await left(guest, await secretTraces(steps, log), anywhere, signal, log)
}

/** Which of these traces stayed in the settings. */
export async function leftInSettings(
  guest: Guest,
  traces: readonly Trace[],
  signal: AbortSignal,
  log: Log,
): Promise<Left[]> {
  return await left(guest, traces, inSettings, signal, log)
}

/** In the guest's shell: names the files with any of the traces, whose patterns come on standard input. */
export const grepSettings = grepFor(inSettings)

async function left(
  guest: Guest,
  traces: readonly Trace[],
  search: Search,
  signal: AbortSignal,
  log: Log,
): Promise<Left[]> {
  const found: Left[] = []
  for (const { what, hint, pattern } of traces)
    try {
      const { stdout } = await guest.run(grepFor(search), {
        input: `${pattern}\n`,
        signal,
        timeout: SEARCH,
        title: 'looking for what the build left',
      })
      const files = [...new Set(stdout.split('\n').filter(Boolean))].sort()
      if (files.length > 0)
        found.push({ message: `${what} stayed on the disk, in ${files.join(', ')}`, hint })
    } catch (error) {
      if (!(error instanceof ApplianceError && error.code === 'timeout')) throw error
      log.warn(
        `${what}: not all of the disk was searched for it within ${formatDuration(SEARCH)}; ova-pack will`,
      )
    }
  return found
}

/** But for root's authorized_keys, which goes last. Its status is not 0 where it could not look. */
function grepFor({ places, except, only, grep }: Search): string {
  return `patterns=$(mktemp -p /run) && cat > "$patterns" || exit
LC_ALL=C find ${places.join(' ')} ${pruned(except)} -o -type f ! -path /root/.ssh/authorized_keys ${only} -print0 2>/dev/null | LC_ALL=C xargs -0 -r -n 400 -P 2 grep -sl ${grep} -f "$patterns"
rm -f "$patterns"`
}

/** For find: it does not go into these. Paths are compared of folders alone, which are few. */
function pruned(places: readonly string[]): string {
  return `-type d '(' -path ${places.join(' -o -path ')} ')' -prune`
}

/** For an extended regular expression. */
function escaped(text: string): string {
  return text.replaceAll(/[.+*?()[\]{}^$|\\]/g, '\\$&')
}
