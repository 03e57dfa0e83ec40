import { join } from 'node:path'
import type { Runner } from '../provisioning.ts'

/** A file or folder of the guest, into `build/chef-provision/files/`. */
export const download: Runner<'download'> = async ({ from, to }, { guest, work, files }) => {
  await guest.download(from, join(files, to), work.signal)
  return undefined
}
