import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Fault } from '../errors/fault.ts'
import type { InputDeclarations, InputValues } from './input.ts'

/** Files that inputs name and that are not there; relative ones begin at `directory`. */
export async function missingFiles<I extends InputDeclarations>(
  declarations: I,
  values: InputValues<I>,
  directory: string,
): Promise<Fault[]> {
  const faults: Fault[] = []
  for (const [name, { existing }] of Object.entries(declarations)) {
    const value = values[name]
    if (existing === undefined || typeof value !== 'string' || /^[a-z]+:\/\//.test(value)) continue
    const path = resolve(directory, value)
    const status = await stat(path).catch(() => undefined)
    if (!status) faults.push({ message: `${name}: there is no ${existing} ${path}` })
    else if (status.isDirectory())
      faults.push({ message: `${name}: expected a file, but ${path} is a folder` })
  }
  return faults
}
