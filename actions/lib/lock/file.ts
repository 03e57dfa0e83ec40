import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { ApplianceError } from '../errors/error.ts'
import { type Fault, InputError } from '../errors/fault.ts'
import { writeAtomically } from '../files/atomic.ts'
import { faultsOf, inOrder, parseYaml } from '../spec/positions.ts'
import { valueAt } from '../spec/raw.ts'
import type { Lock } from './lock.ts'
import { lockSchema } from './schema.ts'
import { lockText } from './text.ts'

const hint = 'Take it back from version control, or delete it and run `appliance lock`.'

/**
 * The lock, or undefined when there is none.
 *
 * @throws InputError with all that is wrong in a damaged one, each with its place; ApplianceError `input` for one of
 *   a newer schema
 */
export async function readLock(path: string): Promise<Lock | undefined> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return undefined
  const file = basename(path)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new InputError([notJson(text, file, error as Error)], { hint })
  }
  const newer = valueAt(value, 'schema')
  if (typeof newer === 'number' && newer > 1)
    throw new ApplianceError('input', `${file} is of schema ${newer}; this appliance knows schema 1 only`, {
      hint: 'Use the version of appliance that wrote it, or a later one.',
    })
  const parsed = lockSchema.safeParse(value)
  if (parsed.success) return parsed.data as Lock
  // Every JSON text is YAML, whose parser knows the places.
  throw new InputError(inOrder(faultsOf(parsed.error, parseYaml(text, file))), { hint })
}

/** Most often somebody's merge. */
function notJson(text: string, file: string, error: Error): Fault {
  const conflict = text.split('\n').findIndex((line) => /^(<{7}|={7}|>{7})( |$)/.test(line))
  if (conflict >= 0) return { file, line: conflict + 1, column: 1, message: 'a merge conflict begins here' }
  return { file, message: `is no JSON: ${error.message.replace(/\s*\n\s*/g, ' ')}` }
}

/** Writes the lock atomically. */
export async function writeLock(path: string, lock: Lock): Promise<void> {
  await writeAtomically(path, lockText(lock))
}
