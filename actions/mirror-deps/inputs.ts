import type { Fault } from '../lib/errors/fault.ts'
import { fileOrAddress, flag, type InputValues, names, path } from '../lib/stage/input.ts'

export const inputs = {
  verify: flag(
    'Prove offline that the mirror is what the lock and upstream’s signatures say; changes nothing',
  ),
  frozen: flag('Never write a lock: the one that is there must fit the spec'),
  update: names('Resolve these sources anew (or all) and write the lock, although it fits the spec'),
  archive: path('Write the mirror into this file (.tar.zst), to build from it years later'),
  'from-archive': fileOrAddress(
    'archive',
    'Take what is lacking from this archive before upstream is asked: a file, or the address in the lock',
  ),
}

/** What cannot be asked for, or not together. */
export function faultsOf(asked: InputValues<typeof inputs>): Fault[] {
  const { verify, update, archive } = asked
  const faults: Fault[] = []
  if (archive !== undefined && !/\.(tar\.zst|tzst)$/.test(archive))
    faults.push({
      message: `archive: expected a name that ends in .tar.zst, which is what it will be; got ${archive}`,
    })
  if (verify && (update !== undefined || asked['from-archive'] !== undefined))
    faults.push({ message: 'verify changes nothing, so neither update nor from-archive goes with it' })
  return faults
}
