import { list, section } from '../section.ts'
import { deb } from './deb.ts'
import { file, fileName } from './file.ts'
import { gem } from './gem.ts'
import { git, gitName } from './git.ts'
import { rpm } from './rpm.ts'
import { address } from './words.ts'

/** `mirror:` — what the appliance is made of, by name. */
export const mirror = (directory: string) =>
  section({
    deb: list(deb(directory), 'a list of Debian repositories').default([]).describe('Debian packages'),
    rpm: list(rpm(directory), 'a list of RPM repositories').default([]).describe('RPM packages'),
    gem: list(gem(directory), 'a list of gem sources').default([]).describe('Ruby gems'),
    git: list(git(directory), 'a list of git repositories').default([]).describe('Git repositories'),
    file: list(file(directory), 'a list of files').default([]).describe('Files, by their addresses'),
    iso: list(file(directory), 'a list of ISO images').default([]).describe('ISO images, by their addresses'),
    archive: address()
      .optional()
      .describe('Address of an archive of the mirror (mirror-deps --archive), asked before any upstream'),
  })
    .default({ deb: [], rpm: [], gem: [], git: [], file: [], iso: [] })
    .describe('What the appliance is made of, by name; the lock has the digests')

/** The sections of `mirror:` whose entries have names. */
export const namedSources = ['deb', 'rpm', 'gem', 'git', 'file', 'iso'] as const

/** The name of an entry as the schema will have it, be it written or derived. */
export function sourceName(
  kind: (typeof namedSources)[number],
  name: string | undefined,
  url: string | undefined,
): string | undefined {
  if (name !== undefined || url === undefined) return name
  return kind === 'git' ? gitName(url) : kind === 'file' || kind === 'iso' ? fileName(url) : undefined
}
