import { join } from 'node:path'
import type { Execution } from '../lib/stage/execute.ts'
import { readRecord } from '../lib/stage/record.ts'
import { type Project, type StageName, type StageRecord, stageNames } from '../lib/stage/stage.ts'
import { formatDuration } from '../lib/units/duration.ts'
import { formatSize } from '../lib/units/size.ts'
import type { BuiltStage } from './build.ts'

/** Stage → output → bytes, as an earlier build in this workspace left them. */
export type Sizes = Partial<Record<StageName, Record<string, number>>>

/** The sizes that the last build had; read them before anything works. */
export async function sizesBefore({ buildDirectory }: Pick<Project, 'buildDirectory'>): Promise<Sizes> {
  const sizes: Sizes = {}
  for (const name of stageNames) {
    const record = await readRecord(join(buildDirectory, name))
    if (record) sizes[name] = sizesOf(record)
  }
  return sizes
}

function sizesOf({ outputs }: StageRecord): Record<string, number> {
  return Object.fromEntries(
    Object.entries(outputs).flatMap(([name, output]) =>
      'bytes' in output && output.bytes !== undefined ? [[name, output.bytes] as const] : [],
    ),
  )
}

/** One table of the whole build, what failed first: what was done, how long it took, what it gave, how that changed. */
export function buildSummary(
  title: string,
  stages: readonly BuiltStage[],
  before: Sizes,
  failed?: { title: string; message: string },
): string {
  const rows = stages.map(({ title: stage, execution }) => {
    const time = execution.state === 'up-to-date' ? 'up to date' : formatDuration(execution.milliseconds)
    return `| ✅ | ${stage} | ${time} | ${gave(execution, before)} |`
  })
  if (failed) rows.unshift(`| ❌ | ${failed.title} | | ${cell(failed.message)} |`)
  return `## ${cell(title)}\n\n| | stage | time | result |\n|---|---|---:|---|\n${rows.join('\n')}\n`
}

/** A stage's files and their sizes in a line: `ova 301 MB (+1.2 MB)`. */
export function gave({ record, state }: Pick<Execution, 'record' | 'state'>, before: Sizes): string {
  const sizes = Object.entries(sizesOf(record)).filter(
    ([name]) => !['report', 'summary', 'details', 'lock'].includes(name),
  )
  return sizes
    .map(([name, bytes]) => {
      const earlier = before[record.stage]?.[name]
      const change =
        state === 'up-to-date' || earlier === undefined ? '' : ` (${difference(bytes - earlier)})`
      return `${name} ${formatSize(bytes)}${change}`
    })
    .join(', ')
}

/** As compared with the last build in the same workspace. */
function difference(bytes: number): string {
  if (bytes === 0) return 'as before'
  return `${bytes > 0 ? '+' : '−'}${formatSize(Math.abs(bytes))} since the last build`
}

/** On one line, and without meaning to Markdown's tables or HTML. */
function cell(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[|<>`]/g, (character) => `&#${character.codePointAt(0)};`)
}
