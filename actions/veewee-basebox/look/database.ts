import type { RootFileSystem } from '../../lib/disk/root-file-system.ts'
import { dpkgDatabase } from './dpkg-database.ts'
import type { PackageDatabase, Reading } from './packages.ts'
import { rpmDatabase } from './rpm-database.ts'

/** dpkg's database or rpm's; one of nothing where the guest has neither. */
export async function packageDatabase(root: RootFileSystem, reading: Reading): Promise<PackageDatabase> {
  return (
    (await dpkgDatabase(root)) ??
    (await rpmDatabase(root, reading)) ?? { installed: [], ownersOf: async () => new Map() }
  )
}
