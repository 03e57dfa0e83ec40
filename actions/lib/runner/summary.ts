import { stat } from 'node:fs/promises'
import * as core from '@actions/core'

/** The runner drops a step's summary whole when it is larger. */
export const SUMMARY_LIMIT = 1 << 20

/**
 * Adds Markdown to the job's summary; what does not fit is cut, with a note that says so. Where nothing can be written,
 * on a full disk, a warning says that: it must not take the place of what was to be told.
 */
export async function addToSummary(markdown: string): Promise<void> {
  const path = process.env.GITHUB_STEP_SUMMARY
  if (!path) return
  const used = await stat(path).then(
    ({ size }) => size,
    () => 0,
  )
  const text = fitting(markdown.endsWith('\n') ? markdown : `${markdown}\n`, SUMMARY_LIMIT - used)
  if (text === '') return
  try {
    await core.summary.addRaw(text).write()
  } catch (error) {
    core.summary.emptyBuffer()
    core.warning(`the job's summary could not be written: ${(error as Error).message}`)
  }
}

/**
 * As many whole lines of `markdown` as `room` bytes hold, with a note when some are left out. A fence that the cut
 * left open is closed, so that the note is not part of it.
 */
export function fitting(markdown: string, room: number): string {
  if (Buffer.byteLength(markdown) <= room) return markdown
  const note =
    '\n\n*The summary was longer than the runner takes (1 MiB); the whole report is among the outputs.*\n'
  let left = room - Buffer.byteLength(note) - 64
  if (left < 0) return ''
  const kept: string[] = []
  let fence = ''
  for (const line of markdown.split('\n')) {
    left -= Buffer.byteLength(line) + 1
    if (left < 0) break
    kept.push(line)
    const [mark] = /^`{3,}/.exec(line) ?? []
    if (mark) fence = fence === '' ? mark : fence === line.trim() ? '' : fence
  }
  return `${kept.join('\n')}${fence === '' ? '' : `\n${fence}`}${note}`
}

/** Markdown whose lines of evidence (`Screens: …`, `Evidence: …`) lead to where it can be downloaded. */
export function linked(markdown: string, url: string | undefined): string {
  if (url === undefined) return markdown
  return markdown.replace(/^(?:Screens|Evidence): .*$/gm, (line) =>
    line.replace(/(`+)[^`]+\1/g, (file) => `[${file}](${url})`),
  )
}
