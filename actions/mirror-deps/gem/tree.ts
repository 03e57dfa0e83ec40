import { createHash } from 'node:crypto'
import { cp, link, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LockedGemSource } from '../../lib/lock/lock.ts'
import { objectPath } from '../../lib/mirror/store.ts'
import type { RubyRoot } from './ruby-root.ts'
import { fullName } from './source.ts'

/**
 * Writes the indexes of RubyGems (`specs.4.8.gz`, `quick/`) and prints what the compact index needs. Marshalled
 * Ruby objects can only be written by Ruby; the gzip header's time is pinned.
 */
const INDEX = `
require 'rubygems/package'
require 'fileutils'
require 'json'
require 'zlib'
def gz(path, data)
  Zlib::GzipWriter.open(path, 9) { |io| io.mtime = 1; io.write(data) }
end
FileUtils.mkdir_p('out/quick/Marshal.4.8')
specs = Dir['gems/*.gem'].sort.map { |file| Gem::Package.new(file).spec }
tuples = ->(list) { list.map { |s| [s.name, s.version, s.original_platform.to_s] } }
released, pre = specs.partition { |s| !s.version.prerelease? }
latest = released.group_by { |s| [s.name, s.original_platform.to_s] }.map { |_, all| all.max_by(&:version) }
gz('out/specs.4.8.gz', Marshal.dump(tuples.(released)))
gz('out/latest_specs.4.8.gz', Marshal.dump(tuples.(latest)))
gz('out/prerelease_specs.4.8.gz', Marshal.dump(tuples.(pre)))
specs.each do |s|
  s.date = Time.at(0).utc
  File.binwrite("out/quick/Marshal.4.8/#{s.full_name}.gemspec.rz", Zlib.deflate(Marshal.dump(s)))
end
req = ->(r) { r.requirements.map { |op, v| "#{op} #{v}" }.sort.join('&') }
puts JSON.generate(specs.map { |s|
  { full: s.full_name, name: s.name, number: s.version.to_s, platform: s.original_platform.to_s,
    deps: s.runtime_dependencies.sort_by(&:name).map { |d| "#{d.name}:#{req.(d.requirement)}" },
    ruby: req.(s.required_ruby_version || Gem::Requirement.default),
    rubygems: req.(s.required_rubygems_version || Gem::Requirement.default) }
})
`

interface Described {
  full: string
  name: string
  number: string
  platform: string
  deps: string[]
  ruby: string
  rubygems: string
}

/** A gem source that both `gem install` and Bundler use: the old indexes and the compact one. */
export async function writeGemSource(
  source: LockedGemSource,
  directory: string,
  store: string,
  root: RubyRoot,
  signal: AbortSignal,
): Promise<void> {
  const work = join(root.directory, 'work')
  await rm(work, { recursive: true, force: true })
  await mkdir(join(work, 'gems'), { recursive: true })
  await mkdir(join(directory, 'gems'), { recursive: true })
  const digests = new Map<string, string>()
  for (const gem of source.gems) {
    const object = objectPath(store, gem.sha256)
    await link(object, join(directory, 'gems', `${fullName(gem)}.gem`))
    await link(object, join(work, 'gems', `${fullName(gem)}.gem`)).catch(() =>
      cp(object, join(work, 'gems', `${fullName(gem)}.gem`)),
    )
    digests.set(fullName(gem), gem.sha256)
  }
  await writeFile(join(work, 'index.rb'), INDEX)
  const described = JSON.parse(await root.ruby(['index.rb'], { signal })) as Described[]
  await cp(join(work, 'out'), directory, { recursive: true })
  await writeCompactIndex(described, digests, directory)
  await rm(work, { recursive: true, force: true })
}

/** @see https://guides.rubygems.org/rubygems-org-compact-index-api/ */
async function writeCompactIndex(
  gems: Described[],
  digests: Map<string, string>,
  directory: string,
): Promise<void> {
  await mkdir(join(directory, 'info'), { recursive: true })
  const names = [...new Set(gems.map(({ name }) => name))].sort()
  const versions: string[] = []
  for (const name of names) {
    const own = gems.filter((gem) => gem.name === name)
    const info = `---\n${own.map((gem) => infoLine(gem, digests.get(gem.full)!)).join('')}`
    await writeFile(join(directory, 'info', name), info)
    versions.push(`${name} ${own.map(number).join(',')} ${createHash('md5').update(info).digest('hex')}\n`)
  }
  await writeFile(join(directory, 'versions'), `created_at: 1970-01-01T00:00:00Z\n---\n${versions.join('')}`)
  await writeFile(join(directory, 'names'), `---\n${names.join('\n')}\n`)
}

function infoLine(gem: Described, sha256: string): string {
  const requirements = [`checksum:${sha256}`, `ruby:${gem.ruby}`, `rubygems:${gem.rubygems}`]
  return `${number(gem)} ${gem.deps.join(',')}|${requirements.join(',')}\n`
}

function number({ number: version, platform }: Described): string {
  return platform === 'ruby' ? version : `${version}-${platform}`
}
