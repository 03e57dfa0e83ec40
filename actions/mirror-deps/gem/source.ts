import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ApplianceError, CommandFailed } from '../../lib/errors/error.ts'
import type { LockedGem, LockedGemSource } from '../../lib/lock/lock.ts'
import type { Spec } from '../../lib/spec/spec.ts'
import { downloadText } from '../fetch/download.ts'
import type { LockedWanted } from '../fetch/fetch.ts'
import type { RubyRoot } from './ruby-root.ts'

export type GemEntry = Spec['mirror']['gem'][number]

/** A gem of the solution, before its bytes are known. */
interface SolvedGem {
  name: string
  version: string
  platform: string
}

const RESOLVE = `
require 'bundler'
require 'bundler/cli'
Bundler::CLI.start(['lock'])
require 'json'
lock = Bundler::LockfileParser.new(File.read('Gemfile.lock'))
foreign = lock.specs.reject { |s| Bundler::Source::Rubygems === s.source || Bundler::Source::Path === s.source && s.source.path.to_s == '.' }
abort "gems from git or a path are not supported yet: #{foreign.map(&:name).join(', ')}" unless foreign.empty?
puts JSON.generate(lock.specs.map { |s| { name: s.name, version: s.version.to_s, platform: s.platform.to_s } })
`

/** Resolves a Gemfile (with its lock, where there is one) or a list, by Bundler, for the Ruby of the root. */
export async function solveGems(entry: GemEntry, root: RubyRoot, signal: AbortSignal): Promise<SolvedGem[]> {
  const work = join(root.directory, 'work')
  await rm(work, { recursive: true, force: true })
  await mkdir(work, { recursive: true })
  if (entry.gemfile) {
    await copyFile(entry.gemfile, join(work, 'Gemfile'))
    await copyFile(join(dirname(entry.gemfile), 'Gemfile.lock'), join(work, 'Gemfile.lock')).catch(() => {})
  } else await writeFile(join(work, 'Gemfile'), gemfileOf(entry))
  await writeFile(join(work, 'resolve.rb'), RESOLVE)
  try {
    const printed = await root.ruby(['resolve.rb'], { signal })
    return JSON.parse(printed.trim().split('\n').at(-1)!) as SolvedGem[]
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    const said = error.stderrTail.trim().split('\n').slice(0, 8).join(' ')
    throw new ApplianceError('unsatisfiable', `gem ${entry.name}: Bundler finds no solution: ${said}`, {
      hint: 'Look at the Gemfile (or gems:) and at what the source has; Bundler in the guest would say the same.',
      cause: error,
    })
  }
}

function gemfileOf({ source, gems }: GemEntry): string {
  const lines = Object.entries(gems ?? {}).map(([name, requirement]) => {
    const requirements = requirement === '*' ? ['>= 0'] : requirement.split(',').map((part) => part.trim())
    return `gem ${[name, ...requirements].map((word) => JSON.stringify(word)).join(', ')}\n`
  })
  return `source ${JSON.stringify(source)}\n${lines.join('')}`
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
    const sha256 = found.get(fullName(gem))
    if (sha256) return { ...gem, sha256 }
    throw new ApplianceError('gone', `gem ${fullName(gem)} is not in the index of ${source}`, {
      hint: 'It was yanked, or the Gemfile.lock names another source.',
    })
  })
}

function withSlash(source: string): string {
  return source.endsWith('/') ? source : `${source}/`
}

/** `nokogiri-1.16.0-x86_64-linux`, as RubyGems names files; the platform `ruby` is not said. */
export function fullName({ name, version, platform }: SolvedGem): string {
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
