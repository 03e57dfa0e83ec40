import { randomUUID } from 'node:crypto'
import { relative, resolve } from 'node:path'
import * as core from '@actions/core'
import type { Fault } from '../errors/fault.ts'
import { guestLines } from '../log/guest-lines.ts'
import { occasionalProgress } from '../log/occasional.ts'
import { type DoorLog, failureLines, stacks } from '../log/plain.ts'
import { formatDuration } from '../units/duration.ts'

/** The runner shows ten annotations of a kind for each step; the rest it drops without a word. */
const ANNOTATIONS = 10

/**
 * The log of a workflow's step: groups fold, warnings and failures are annotations, secrets are masked by the
 * runner, and whatever a guest says is shown without being obeyed.
 *
 * @param directory where the files that faults name begin; annotations need them from the workspace on
 * @param depth groups that are open already, in the process that started this one
 */
export function workflowLog(directory: () => string, depth = 0): DoorLog {
  const guest = guestLines()
  const show = (text: string) => (looksLikeCommand(text) ? disobeyed(text) : core.info(text))
  const flush = () => {
    const rest = guest.flush()
    if (rest.length > 0) disobeyed(rest.join('\n'))
  }
  const out = (text: string) => {
    flush()
    show(text)
  }
  return {
    info: out,
    warn(line) {
      flush()
      core.warning(line)
    },
    debug(line) {
      flush()
      core.debug(line)
    },
    async group(title, work) {
      flush()
      // Groups do not nest: an inner one is a heading within the outer.
      if (depth === 0) core.startGroup(title)
      else show(`== ${title}`)
      depth += 1
      const began = performance.now()
      try {
        return await work()
      } finally {
        depth -= 1
        out(`${title}: ${formatDuration(performance.now() - began)}`)
        if (depth === 0) core.endGroup()
      }
    },
    progress: (title, total, unit) => occasionalProgress(title, total, unit, out),
    mask: (secret) => {
      for (const line of secret.split(/\r?\n/)) if (line.trim() !== '') core.setSecret(line)
    },
    guest(text) {
      const lines = guest.push(text)
      if (lines.length > 0) disobeyed(lines.join('\n'))
    },
    failure(error) {
      flush()
      if (error.faults.length > 0) annotate(error.faults, directory())
      else core.error(error.message)
      for (const line of failureLines(error, false).slice(error.message.split('\n').length)) show(line)
      for (const stack of stacks(error)) core.debug(stack)
    },
  }
}

/** Each fault where it stands in the user's file, as many as the runner shows; all of them in the log. */
function annotate(faults: readonly Fault[], directory: string): void {
  const shown = faults.length > ANNOTATIONS ? faults.slice(0, ANNOTATIONS - 1) : faults
  const rest = faults.slice(shown.length)
  for (const { file, line, column, message } of shown) {
    core.error(message, {
      title: 'appliance',
      ...(file === undefined ? {} : { file: fromWorkspace(resolve(directory, file)) }),
      ...(line === undefined ? {} : { startLine: line }),
      ...(column === undefined ? {} : { startColumn: column }),
    })
  }
  if (rest.length === 0) return
  core.error(`${rest.length} more faults are in this step's log`, { title: 'appliance' })
  for (const { file, line, column, message } of rest)
    disobeyed(`${[file, line, column].filter((part) => part !== undefined).join(':')}: ${message}`)
}

function fromWorkspace(path: string): string {
  return relative(process.env.GITHUB_WORKSPACE ?? process.cwd(), path)
}

/** `::name::` at the start of a line and `##[name]` anywhere are orders to the runner (ActionCommand.cs). */
function looksLikeCommand(text: string): boolean {
  return /^\s*::|##\[/m.test(text)
}

/** Shows text while the runner listens to nothing but a word that nobody can guess. */
function disobeyed(text: string): void {
  const word = randomUUID()
  core.info(`::stop-commands::${word}\n${text}\n::${word}::`)
}
