import { ApplianceError } from '../../lib/errors/error.ts'
import type { LockedGem, LockedGemSource } from '../../lib/lock/lock.ts'
import type { Spec } from '../../lib/spec/spec.ts'
import { downloadText } from '../fetch/download.ts'
import type { LockedWanted } from '../fetch/fetch.ts'

export type GemEntry = Spec['mirror']['gem'][number]

/** A gem of the solution, before its bytes are known. */
export interface SolvedGem {
  name: string
  version: string
  platform: string
  /** What the CHECKSUMS of Gemfile.lock promise. */
  checksum?: string | null
}

/**
 * SHA-256 digests from the source's compact index: `VERSION[-PLATFORM] DEPENDENCIES|checksum:HEX,ruby:…`.
 *
 * @see https://guides.rubygems.org/rubygems-org-compact-index-api/
 */
export async function gemDigests(source: string, gems: readonly SolvedGem[], signal: AbortSignal) {
  const found = new Map<string, string>()
  const names = [...new Set(gems.map(({ name }) => name))][Symbol.iterator]()
  const worker = async () => {
    for (const name of names) {
      const url = new URL(`info/${name}`, withSlash(source)).href
      const info = await downloadText({ title: `the index of gem ${name}`, urls: [url] }, signal)
      for (const line of info.split('\n')) {
        const match = /^(\S+) .*\|.*\bchecksum:([0-9a-f]{64})/.exec(line)
        if (match) found.set(`${name}-${match[1]}`, match[2]!)
      }
    }
  }
  await Promise.all(Array.from({ length: 8 }, worker))
  return gems.map((gem) => {
    const { name, version, platform, checksum } = gem
    const sha256 = found.get(fullName(gem))
    if (sha256 && checksum && checksum !== sha256)
      throw new ApplianceError(
        'digest-mismatch',
        `gem ${fullName(gem)}: Gemfile.lock promises sha256 ${checksum}, the index of ${source} says ${sha256}`,
        {
          hint: 'One of them was changed. Look at what your Gemfile.lock says in version control before anything else.',
        },
      )
    if (sha256) return { name, version, platform, sha256 }
    throw new ApplianceError('gone', `gem ${fullName(gem)} is not in the index of ${source}`, {
      hint: 'It was yanked, or the Gemfile.lock names another source.',
    })
  })
}

function withSlash(source: string): string {
  return source.endsWith('/') ? source : `${source}/`
}

/** `nokogiri-1.16.0-x86_64-linux`, as RubyGems names files; the platform `ruby` is not said. */
export function fullName({ name, version, platform }: Omit<SolvedGem, 'checksum'>): string {
  return platform === 'ruby' ? `${name}-${version}` : `${name}-${version}-${platform}`
}

export function gemUrl(source: string, gem: SolvedGem): string {
  return new URL(`gems/${fullName(gem)}.gem`, withSlash(source)).href
}

/** Everything of a gem source that is to be in the store. */
export function wantedOfGems({ name, source, gems }: LockedGemSource): LockedWanted[] {
  return gems.map((gem: LockedGem) => ({
    source: `gem ${name}`,
    title: `gem ${fullName(gem)} of ${name}`,
    urls: [gemUrl(source, gem)],
    sha256: gem.sha256,
    size: gem.size,
  }))
}
