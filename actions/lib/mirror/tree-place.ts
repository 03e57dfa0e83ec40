import { join } from 'node:path'
import type { Project } from '../stage/stage.ts'

/** Where mirror-deps has laid out what the mirror serves, or a part of it. */
export function mirrorTree({ buildDirectory }: Pick<Project, 'buildDirectory'>, ...part: string[]): string {
  return join(buildDirectory, 'mirror-deps', 'tree', ...part)
}
