import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ApplianceError } from '../../lib/errors/error.ts'
import type { LockedDebRepository } from '../../lib/lock/lock.ts'
import { objectPath } from '../../lib/mirror/store.ts'
import { download } from '../fetch/download.ts'
import type { Resolver } from '../resolver.ts'
import { isFlat } from './apt.ts'
import { architecturesOf } from './architectures.ts'
import { type Chain, proveIndexes } from './chain.ts'
import { isKey } from './evidence.ts'
import { type DebSource, wantedOfRepository } from './source.ts'

/**
 * Sources that are locked already and were not asked to move are to be solved from the very indexes with which they
 * were locked, which were kept as evidence: then only what should moves. Their signatures are proved again.
 *
 * @param folder a name for this group of sources; unique
 */
export async function withKept(
  folder: string,
  sources: readonly DebSource[],
  locked: readonly LockedDebRepository[],
  resolver: Resolver,
): Promise<DebSource[]> {
  const { work } = resolver
  const lost: string[] = []
  const found: DebSource[] = []
  for (const source of sources) {
    const before = locked.find((one) => isSame(source, one))
    const stays = before && !resolver.asked(source.name)
    const chain = stays ? await chainOf(join('kept', folder), source, before, resolver) : undefined
    if (chain && isWhole(chain))
      found.push({ ...source, kept: { locked: before!, uri: pathToFileURL(chain.repository).href } })
    else found.push(source)
    if (chain && !isWhole(chain)) lost.push(`${source.name} (${whatIsWrong(chain)})`)
  }
  if (lost.length > 0)
    work.log.warn(
      `the indexes with which these were locked cannot be used any more, so the newest of upstream are: ${lost.join('; ')}`,
    )
  return found
}

/** Whether the lock has a source as the spec has it now, but for the packages that are wanted of it. */
function isSame(source: DebSource, locked: LockedDebRepository): boolean {
  const { name, uri, suites, components, architectures = [] } = source
  const place = [name, uri, suites, suites.every(isFlat) ? [] : components]
  const indexed = architecturesOf([locked])
  return (
    JSON.stringify(place) === JSON.stringify([locked.name, locked.uri, locked.suites, locked.components]) &&
    architectures.every((one) => indexed.includes(one))
  )
}

/** What its kept indexes prove; what the store lacks of them is asked for once more where it was. */
async function chainOf(
  folder: string,
  source: DebSource,
  locked: LockedDebRepository,
  { work, paths }: Resolver,
): Promise<Chain> {
  const options = {
    store: paths.store,
    directory: join(work.workDirectory, folder, source.name),
    keyring: source.signedBy,
    signal: work.signal,
  }
  const chain = await proveIndexes(locked, options)
  if (isWhole(chain)) return chain
  for (const one of wantedOfRepository({ ...locked, packages: [] }))
    if (chain.missing.some((path) => one.title.startsWith(`${path} of `)))
      await download(one, objectPath(paths.store, one.sha256), { signal: work.signal }).catch((error) => {
        if (!(error instanceof ApplianceError) || error.code === 'disk-full') throw error
      })
  return await proveIndexes(locked, options)
}

function isWhole({ faults, missing }: Chain): boolean {
  return faults.length === 0 && missing.every(isKey)
}

function whatIsWrong({ faults, missing }: Chain): string {
  const gone = missing.filter((path) => !isKey(path)).map((path) => `${path} is gone`)
  return [...faults, ...gone].join(', ')
}
