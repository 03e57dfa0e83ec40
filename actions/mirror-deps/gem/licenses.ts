import { cp, link, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { NOASSERTION } from '../../lib/lock/lock.ts'
import { objectPath } from '../../lib/mirror/store.ts'
import type { RubyRoot } from './ruby-root.ts'
import { LICENSES } from './solve-program.ts'
import { fullName } from './source.ts'

interface Gem {
  name: string
  version: string
  platform: string
  sha256: string
}

/**
 * What gems say of their licences, by the gem's full name: several are a choice between them, as RubyGems has it.
 *
 * @see https://guides.rubygems.org/specification-reference/#licenses=
 */
export async function licensesOf(
  gems: readonly Gem[],
  root: RubyRoot,
  { store, signal }: { store: string; signal: AbortSignal },
): Promise<Map<string, string>> {
  const work = join(root.directory, 'work')
  await rm(work, { recursive: true, force: true })
  await mkdir(join(work, 'gems'), { recursive: true })
  for (const gem of gems) {
    const to = join(work, 'gems', `${fullName(gem)}.gem`)
    await link(objectPath(store, gem.sha256), to).catch(() => cp(objectPath(store, gem.sha256), to))
  }
  await writeFile(join(work, 'licenses.rb'), LICENSES)
  const stated = JSON.parse(await root.ruby(['licenses.rb'], { signal })) as Record<string, string[]>
  await rm(work, { recursive: true, force: true })
  return new Map(
    Object.entries(stated).map(([name, licenses]) => [
      name,
      licenses.length === 0 ? NOASSERTION : licenses.map(word).join(' OR '),
    ]),
  )
}

/** SPDX identifiers hold no blanks; what does is no identifier, but the best there is. */
function word(license: string): string {
  return license.trim().replace(/\s+/g, '-')
}
