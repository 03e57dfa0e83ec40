import type { Lock } from '../../lib/lock/lock.ts'
import type { LockedWanted } from '../fetch/fetch.ts'

/** Every tarball of a cookbook that is to be in the store. */
export function wantedOfCookbooks({ cookbook = [] }: Lock): LockedWanted[] {
  return cookbook.flatMap(({ name: file, cookbooks }) =>
    cookbooks.map(({ name, version, url, sha256, size }) => ({
      source: `cookbooks of ${file}`,
      title: `cookbook ${name} ${version} of ${file}`,
      urls: [url],
      sha256,
      size,
    })),
  )
}
