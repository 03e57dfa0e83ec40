import type { RootFileSystem } from '../lib/disk/root-file-system.ts'
import { type GuestSystem, guestSystems } from '../lib/ovf/operating-system.ts'

/** What a guest says it is. */
export interface OsRelease {
  /** E.g. debian, rocky; linux where it says nothing. */
  id: string
  /** E.g. 12, 9.4; Debian's testing has none. */
  version?: string
}

/** @see os-release(5) */
export async function osRelease(root: Pick<RootFileSystem, 'read'>): Promise<OsRelease> {
  const paths = ['/etc/os-release', '/usr/lib/os-release']
  const contents = await root.read(paths)
  const text = paths.map((path) => contents.get(path)?.toString()).find((one) => one) ?? ''
  const field = (name: string) => new RegExp(`^${name}=["']?([\\w.-]+)["']?\\s*$`, 'm').exec(text)?.[1]
  const version = field('VERSION_ID')
  return { id: field('ID') ?? 'linux', ...(version && { version }) }
}

export function guestSystemOf({ id }: OsRelease): GuestSystem {
  return guestSystems.find((one) => one === id) ?? 'linux'
}
