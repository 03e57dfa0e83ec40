import { join } from 'node:path'
import { ApplianceError } from '../lib/errors/error.ts'
import { writeJson } from '../lib/files/atomic.ts'
import type { Log } from '../lib/log/log.ts'
import type { Lacking } from '../lib/mirror/serve/lacking.ts'
import { escapeLine, grave } from '../lib/network/attempts.ts'
import type { Escape } from '../lib/network/network.ts'

/** What was asked for during a stage and was not there. */
export interface Wishes {
  /** Beyond the mirror. */
  escapes: Escape[]
  /** Of the mirror. */
  lacking: Lacking[]
}

/** Lines of each list in the log; the files have all of them. */
const SHOWN = 50

/**
 * Ends a stage with who tried to reach what, in the log and in `escapes.json`, and what the mirror was asked for in
 * vain, in `lacking.json`. With `fail`, an attempt that somebody should do something about is an error, which is
 * returned: an error of the stage itself comes first.
 */
export async function reportWishes(
  stage: string,
  folder: string,
  { escapes, lacking }: Wishes,
  mode: 'fail' | 'warn',
  log: Log,
): Promise<ApplianceError | undefined> {
  const file = join(folder, 'escapes.json')
  await writeJson(file, escapes)
  await writeJson(join(folder, 'lacking.json'), lacking)
  tell(`${stage}: asked the mirror for what it does not have:`, lacking.map(lackingLine), log)
  for (const one of escapes) if (one.harmless !== undefined) log.debug(escapeLine(one))
  const blamed = grave(escapes)
  tell(`${stage}: tried to reach what is not in the mirror (and could not):`, blamed.map(escapeLine), log)
  const [first] = blamed
  if (first === undefined || mode === 'warn') return undefined
  const more = blamed.length > 1 ? `, and ${blamed.length - 1} more` : ''
  return new ApplianceError('check-failed', `${stage}: ${wish(first)}${more}`, {
    hint: escapesHint,
    evidence: [file],
  })
}

/** The same as GitHub Markdown, for the job's summary; undefined where nothing was asked for. */
export function wishesMarkdown(stage: string, { escapes, lacking }: Wishes): string | undefined {
  const lists = [
    ['tried to reach what is not in the mirror', grave(escapes).map(escapeLine)],
    ['asked the mirror for what it does not have', lacking.map(lackingLine)],
  ] as const
  const parts = lists.flatMap(([title, lines]) => {
    if (lines.length === 0) return []
    const more = lines.length > SHOWN ? [`and ${lines.length - SHOWN} more`] : []
    // A guest chose the names: nothing of them may end the block.
    const block = [...lines.slice(0, SHOWN), ...more].join('\n').replaceAll('`', "'")
    return [`### ${stage}: ${title}\n\n\`\`\`text\n${block}\n\`\`\`\n`]
  })
  return parts.length === 0 ? undefined : parts.join('\n')
}

function lackingLine({ path, times, remedy }: Lacking): string {
  return `${path}, ${times} ×: ${remedy}`
}

const escapesHint =
  'Add it to mirror: in appliance.yml, or keep the program from asking; if it may ask in vain, write `escapes: warn`: then what was made is taken as it is.'

/** `machine provision tried to reach deb.debian.org (dns), 2 ×, during shell prepare.sh`. */
function wish(one: Escape): string {
  return escapeLine(one).replace(`${one.who}: `, () => `${one.who} tried to reach `)
}

function tell(title: string, lines: readonly string[], log: Log): void {
  if (lines.length === 0) return
  log.warn(title)
  for (const line of lines.slice(0, SHOWN)) log.warn(`  ${line}`)
  if (lines.length > SHOWN) log.warn(`  and ${lines.length - SHOWN} more`)
}
