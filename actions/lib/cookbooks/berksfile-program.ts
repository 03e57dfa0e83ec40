import { BEGINNING, PATIENCE } from './program.ts'

/**
 * By Berkshelf, whose store is at BERKSHELF_PATH.
 *
 * @see https://docs.chef.io/workstation/berkshelf/
 */
export const BERKSFILE_PROGRAM = `${BEGINNING}
begin
  require 'berkshelf'
rescue LoadError
  fault 'input', 'needs Berkshelf: add berkshelf: "*" to the gems for: tools (mirror.gem)'
end
require 'berkshelf/community_rest'
${PATIENCE}
WARNED = []
class Quiet < Berkshelf::NullFormatter
  def warn(text) = WARNED << text.to_s.strip.sub(/\\A\\* /, '')
end
Berkshelf.instance_variable_set(:@formatter, Quiet.new)
class << Berkshelf::Lockfile
  def from_berksfile(berksfile) = new(berksfile: berksfile, filepath: LOCK)
end
begin
  berksfile = Berkshelf::Berksfile.from_file(FILE)
  case what
  when 'sources'
    pinned = berksfile.lockfile.dependencies.to_h { |d| [d.name, d.location] }
    gits = berksfile.dependencies.select { |d| Berkshelf::GitLocation === d.location }
    puts JSON.generate(gits.map { |d|
      at = d.location
      was = pinned[d.name]
      { uri: at.uri, ref: at.ref || at.branch || at.tag || 'master', revision: was == at ? was.revision : nil }
    })
  when 'solve'
    berksfile.install
    puts JSON.generate(
      solution: File.read(LOCK),
      cookbooks: berksfile.lockfile.graph.locks.values.sort_by(&:name).map { |d|
        version = d.locked_version.to_s
        it = { name: d.name, version: version }
        case at = d.location
        when Berkshelf::GitLocation then it.merge(git: at.uri, commit: at.revision, folder: at.rel.to_s)
        when Berkshelf::PathLocation then it.merge(path: at.expanded_path.to_s)
        else
          source = berksfile.sources.find { |s| s.cookbook(d.name, version) }
          fault 'unsatisfiable', [*WARNED, "no source has #{d.name} #{version}, which its lock wants"].join(' ') unless source
          remote = source.cookbook(d.name, version)
          fault 'input', "#{d.name} comes from #{source}: cookbooks are taken from a supermarket, from git or from a path" unless %i{supermarket opscode}.include?(remote.location_type)
          it.merge(url: Berkshelf::CommunityREST.new(remote.location_path).find(d.name, version)['file'])
        end
      }
    )
  when 'vendor'
    fault 'stale', 'a cookbook of a path needs others now than were locked' unless berksfile.lockfile.trusted?
    berksfile.vendor(destination)
    puts '{}'
  end
rescue SyntaxError => e
  fault 'input', e.message[/syntax error.*/] || 'syntax error', e.message[/:(\\d+): /, 1]&.to_i
rescue Berkshelf::BerksfileReadError => e
  cause = e.cause || e
  place = (cause.backtrace || []).find { |at| at.start_with?("#{FILE}:") }
  fault 'input', cause.message.sub(/ for (#<|an instance of).*/m, ''), place&.[](/:(\\d+):/, 1)&.to_i
rescue Berkshelf::NoAPISourcesDefined
  fault 'input', "names no source: begin it with source 'https://supermarket.chef.io'"
rescue Berkshelf::NoSolutionError => e
  WARNED.empty? ? fault('unsatisfiable', e.message) : fault('unreachable', WARNED.join("\\n"))
rescue Berkshelf::BerkshelfError => e
  fault 'unsatisfiable', [*WARNED, e.message].join("\\n")
end
`
