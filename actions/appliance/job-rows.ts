import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeJson } from '../lib/files/atomic.ts'
import type { Project } from '../lib/stage/stage.ts'
import type { Row } from './summary.ts'

/**
 * What the steps of a job before this one did with an appliance, for the one table of them all. Kept where the runner
 * empties before and after each job: rows of another run are never among them.
 */
export async function notedRows({ directory, spec }: Project): Promise<Row[]> {
  return (await allRows())[keyOf({ directory, spec })] ?? []
}

/** A stage that runs twice in a job has one row. */
export async function noteRow(project: Project, row: Row): Promise<void> {
  const file = rowsFile()
  if (file === undefined) return
  const rows = (await notedRows(project)).filter(({ stage }) => stage !== row.stage)
  await writeJson(file, { ...(await allRows()), [keyOf(project)]: [...rows, row] })
}

async function allRows(): Promise<Record<string, Row[]>> {
  const text = await readFile(rowsFile() ?? '', 'utf8').catch(() => '{}')
  try {
    return JSON.parse(text) as Record<string, Row[]>
  } catch {
    return {}
  }
}

function keyOf({ directory, spec }: Pick<Project, 'directory' | 'spec'>): string {
  return `${directory} ${spec.name}`
}

function rowsFile(): string | undefined {
  return process.env.RUNNER_TEMP && join(process.env.RUNNER_TEMP, 'appliance-rows.json')
}
