import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CommandFailed } from '../../lib/errors/error.ts'
import type { LockedGemSource } from '../../lib/lock/lock.ts'
import { serveTree } from '../../lib/mirror/serve.ts'
import type { RubyRoot } from './ruby-root.ts'
import { fullName } from './source.ts'

/**
 * In the root's Ruby: RubyGems resolves every locked gem from the mirror alone, with all its dependencies, fetches
 * them, and unpacks each with its own checksums verified. Nothing is compiled: that is the guest's business.
 */
const PROGRAM = `
require 'json'
require 'rubygems/dependency_installer'
require 'rubygems/package'
require 'fileutils'
options = JSON.parse(File.read('options.json'))
Gem.sources = [options['source']]
faults = []
set = Gem::RequestSet.new(*options['gems'].map { |g| Gem::Dependency.new(g['name'], g['version']) })
set.development = false
begin
  solution = set.resolve(Gem::Resolver::BestSet.new.tap { |s| s.prerelease = true })
rescue Gem::UnsatisfiableDependencyError, Gem::DependencyResolutionError => error
  faults << error.message.lines.map(&:strip).reject(&:empty?).join(' ')
end
Dir['gems/*.gem'].sort.each do |file|
  begin
    package = Gem::Package.new(file)
    package.verify
    FileUtils.rm_rf('unpacked')
    package.extract_files('unpacked')
  rescue Gem::Package::Error, Zlib::Error => error
    faults << "#{File.basename(file)}: #{error.message}"
  end
end
puts JSON.generate(faults)
`

/**
 * Proves a gem source, offline: all that is locked resolves from the mirror's tree alone, and unpacks. Returns what is
 * wrong, a line each.
 *
 * @param folder of the source in the tree, e.g. `gem/app`
 */
export async function proveGems(
  source: LockedGemSource,
  folder: string,
  root: RubyRoot,
  { tree, signal }: { tree: string; signal: AbortSignal },
): Promise<string[]> {
  const work = join(root.directory, 'work')
  await rm(work, { recursive: true, force: true })
  await mkdir(join(work, 'gems'), { recursive: true })
  await using server = await serveTree(tree, '127.0.0.1', 0)
  const url = `${server.url}/${folder}/`
  for (const gem of source.gems) {
    const file = `${fullName(gem)}.gem`
    const response = await fetch(`${url}gems/${file}`, { signal })
    if (!response.ok) return [`gem ${source.name}: the mirror does not serve ${file}`]
    await writeFile(join(work, 'gems', file), Buffer.from(await response.arrayBuffer()))
  }
  await writeFile(join(work, 'options.json'), JSON.stringify({ source: url, gems: source.gems }))
  await writeFile(join(work, 'prove.rb'), PROGRAM)
  try {
    const printed = await root.ruby(['prove.rb'], { signal })
    const faults = JSON.parse(printed.trim().split('\n').at(-1)!) as string[]
    return faults.map((fault) => `gem ${source.name}: ${fault}`)
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    return [`gem ${source.name}: ${error.stderrTail.trim().split('\n').at(-1)}`]
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}
