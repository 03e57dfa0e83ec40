import { join } from 'node:path'
import { GithubApi } from '../lib/runner/github-api.ts'
import { Releases } from '../lib/runner/releases.ts'
import type { Execution } from '../lib/stage/execute.ts'
import { readRecord } from '../lib/stage/record.ts'
import { type Project, type StageName, type StageRecord, stageNames } from '../lib/stage/stage.ts'
import { formatDuration } from '../lib/units/duration.ts'
import { formatSize } from '../lib/units/size.ts'
import type { BuiltStage } from './build.ts'
import type { Door } from './inside.ts'

/** What sizes are compared with. */
export interface Before {
  /** Stage → output → bytes. */
  sizes: Partial<Record<StageName, Record<string, number>>>
  /** `the last build`, or a release's tag. */
  since: string
}

/** The sizes that the last build in this workspace had; read them before anything works. */
export async function sizesBefore({ buildDirectory }: Pick<Project, 'buildDirectory'>): Promise<Before> {
  const sizes: Before['sizes'] = {}
  for (const name of stageNames) {
    const record = await readRecord(join(buildDirectory, name))
    if (record) sizes[name] = sizesOf(record)
  }
  return { sizes, since: 'the last build' }
}

/**
 * On a runner that keeps no workspace: the size that the OVA has among the files of the repository's last release, in
 * parts or whole. Where that cannot be known, nothing is compared, and nothing is said of it.
 */
export async function sizesReleased(
  { spec }: Pick<Project, 'spec'>,
  token: string | undefined,
  { log }: Pick<Door, 'log'>,
): Promise<Before | undefined> {
  try {
    const release = await new Releases(new GithubApi(token), log).latest()
    const ova = new RegExp(`^${spec.name}-\\d.*\\.ova(\\.part\\d+)?$`)
    const bytes = (release?.assets ?? [])
      .filter(({ name }) => ova.test(name))
      .reduce((sum, { size }) => sum + size, 0)
    return bytes === 0 ? undefined : { sizes: { 'ova-pack': { ova: bytes } }, since: release!.tag_name }
  } catch (error) {
    log.debug(`the last release's size is not known: ${(error as Error).message}`)
    return undefined
  }
}

function sizesOf({ outputs }: StageRecord): Record<string, number> {
  return Object.fromEntries(
    Object.entries(outputs).flatMap(([name, output]) =>
      'bytes' in output && output.bytes !== undefined ? [[name, output.bytes] as const] : [],
    ),
  )
}

/** A stage that is done, as the table of a build shows it. */
export interface Row {
  stage: string
  time: string
  gave: string
}

export interface BuildSummary {
  title: string
  rows: readonly Row[]
  /** What the sizes in `rows` are compared with. */
  since: string
  failed?: { title: string; message: string } | undefined
  /** Text → address; those that are not known are left out. */
  links?: Readonly<Record<string, string | undefined>>
}

export function rowOf({ title, execution }: BuiltStage, before: Before): Row {
  return { stage: title, time: time(execution), gave: gave(execution, before) }
}

/** One table of the whole build, what failed first: what was done, how long it took, what it gave, how that changed. */
export function buildSummary({ title, rows, since, failed, links = {} }: BuildSummary): string {
  const changed = rows.some((row) => / \((?:[+−]|as before)/.test(row.gave)) ? ` (change since ${since})` : ''
  const lines = rows.map(({ stage, time, gave }) => `| ✅ | ${stage} | ${time} | ${gave} |`)
  if (failed) lines.unshift(`| ❌ | ${failed.title} | | ${cell(failed.message)} |`)
  const table = `| | stage | time | result${changed} |\n|---|---|---:|---|\n${lines.join('\n')}\n`
  const known = Object.entries(links).flatMap(([text, url]) => (url ? [`[${cell(text)}](${url})`] : []))
  return `## ${failed ? '❌ ' : ''}${cell(title)}\n\n${known.length > 0 ? `${known.join(' · ')}\n\n` : ''}${table}`
}

/** One stage's part: a line with what came of it, what it says itself folded away beneath. */
export function stageSummary(
  { title, execution }: BuiltStage,
  before: Before,
  texts: readonly string[],
  link?: string,
): string {
  const files = gave(execution, before)
  const since = / \([+−]/.test(files) ? ` since ${before.since}` : ''
  const parts = [
    time(execution),
    ...(files ? [`${files}${since}`] : []),
    ...(link ? [`[artifact](${link})`] : []),
  ]
  return [`### ${title}: ${parts.join(', ')}\n`, ...texts.map((text) => folded(text, title))].join('\n')
}

/** Under its own heading, without that where it only names the stage. */
function folded(text: string, stage: string): string {
  const [, heading, rest] = /^#+ (.*)\n+([\s\S]*)$/.exec(text) ?? []
  const label = heading === undefined || heading === stage ? 'What it did' : heading
  return `<details><summary>${cell(label.replaceAll('`', ''))}</summary>\n\n${(rest ?? text).trimEnd()}\n\n</details>\n`
}

function time({ state, milliseconds }: Execution): string {
  return state === 'up-to-date' ? 'up to date' : formatDuration(milliseconds)
}

/** What is for reading, and no result. */
const asides = ['report', 'summary', 'details', 'page', 'lock']

/** A stage's files and their sizes in a line: `ova 301 MB (+1.2 MB)`. */
function gave({ record, state }: Execution, { sizes }: Before): string {
  return Object.entries(sizesOf(record))
    .filter(([name]) => !asides.includes(name))
    .map(([name, bytes]) => {
      const earlier = sizes[record.stage]?.[name]
      const change =
        state === 'up-to-date' || earlier === undefined ? '' : ` (${difference(bytes - earlier)})`
      return `${name} ${formatSize(bytes)}${change}`
    })
    .join(', ')
}

function difference(bytes: number): string {
  if (bytes === 0) return 'as before'
  return `${bytes > 0 ? '+' : '−'}${formatSize(Math.abs(bytes))}`
}

/** On one line, and without meaning to Markdown's tables or HTML. */
function cell(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[|<>`]/g, (character) => `&#${character.codePointAt(0)};`)
}
