import { readdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Fault } from '../errors/fault.ts'
import type { Positioned } from './positions.ts'
import { textAt, valueAt } from './raw.ts'

/** Items that are no JSON or have no id, and encrypted ones without the secret that opens them. */
export async function dataBagFaults(
  yaml: Positioned,
  at: readonly PropertyKey[],
  chef: unknown,
  directory: string,
): Promise<Fault[]> {
  const folder = textAt(chef, 'data_bags')
  if (folder === undefined) return []
  const faults: Fault[] = []
  const encrypted: string[] = []
  for (const item of await itemsIn(folder, directory)) {
    const value = await itemAt(item, directory)
    if (typeof value === 'string') faults.push(yaml.fault([...at, 'data_bags'], value))
    else if (isEncrypted(value)) encrypted.push(item)
  }
  if (encrypted.length > 0 && valueAt(chef, 'data_bag_secret') === undefined)
    faults.push(
      yaml.fault(
        [...at, 'data_bags'],
        `${encrypted.join(', ')} ${encrypted.length > 1 ? 'are' : 'is'} encrypted: say data_bag_secret: env:NAME, or a file`,
      ),
    )
  return faults
}

async function itemsIn(folder: string, directory: string): Promise<string[]> {
  const bags = await readdir(resolve(directory, folder), { withFileTypes: true }).catch(() => [])
  const items = await Promise.all(
    bags
      .filter((bag) => bag.isDirectory())
      .map(async ({ name }) =>
        (await readdir(resolve(directory, folder, name)))
          .filter((file) => file.endsWith('.json'))
          .map((file) => join(folder, name, file)),
      ),
  )
  return items.flat().sort()
}

/** The item, or the message that says why it is none. */
async function itemAt(path: string, directory: string): Promise<Record<string, unknown> | string> {
  const text = await readFile(resolve(directory, path), 'utf8')
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && typeof valueAt(value, 'id') === 'string'
      ? (value as Record<string, unknown>)
      : `${path} is no item of a data bag: it has no "id"`
  } catch (error) {
    return `${path} is no JSON: ${(error as Error).message.replace(/\s*\n\s*/g, ' ')}`
  }
}

/** @see https://docs.chef.io/data_bags/#encryption-versions */
function isEncrypted(item: Record<string, unknown>): boolean {
  return Object.values(item).some((value) => textAt(value, 'encrypted_data') !== undefined)
}
