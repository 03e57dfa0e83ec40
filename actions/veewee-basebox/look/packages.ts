import type { ToolsRoot } from '../../lib/tools/tools.ts'

/** A package as the guest's package database has it. */
export interface Installed {
  name: string
  version: string
  /** Unpacked, bytes; upstream's own figure. */
  size: number
}

/** What the guest's package manager knows. */
export interface PackageDatabase {
  installed: readonly Installed[]
  /** Which package owns which of the paths. */
  ownersOf(paths: readonly string[]): Promise<Map<string, string>>
}

export interface Reading {
  tools: ToolsRoot
  /** A folder for temporary files. */
  scratch: string
  signal: AbortSignal
}

/** As a package may write it → as it was asked for: it may still write `/lib/…` for what lies in `/usr/lib/…`. */
export function wantedPaths(paths: readonly string[]): Map<string, string> {
  return new Map(
    paths.flatMap((path) => [
      [path, path],
      [path.replace(/^\/usr(?=\/(bin|sbin|lib)\/)/, ''), path],
    ]),
  )
}
