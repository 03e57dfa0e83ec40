import { join } from 'node:path'
import type { Runner } from '../provisioning.ts'
import { inTime } from './in-time.ts'

/** A file or folder of the guest, into `build/chef-provision/files/`. */
export const download: Runner<'download'> = async (step, { guest, work, files }) => {
  const { from, to } = step
  await inTime(step, work.signal, (signal) => guest.download(from, join(files, to), signal))
  return undefined
}
