/**
 * Runs in the root's Ruby, in `/work`, which holds Gemfile, Gemfile.lock (perhaps) and options.json; prints one line of
 * JSON. `sources` tells which git repositories the Gemfile names, without asking any of them; `solve` has Bundler
 * resolve, with these repositories on this computer.
 *
 * A gem for another computer (a developer's own) in Gemfile.lock is not ours; one built from source is, always.
 */
export const PROGRAM = `
require 'json'
options = JSON.parse(File.read('options.json'))
if options['platforms'] == ['ruby'] then ENV['BUNDLE_FORCE_RUBY_PLATFORM'] = 'true'
else ENV.delete('BUNDLE_FORCE_RUBY_PLATFORM')
end
ENV['GIT_CONFIG_NOSYSTEM'] = '1'
ENV['GIT_CONFIG_GLOBAL'] = File.expand_path('gitconfig')
File.write('gitconfig', "[safe]\\n\\tdirectory = *\\n[protocol \\"file\\"]\\n\\tallow = always\\n" +
  options.fetch('git', []).map { |g| "[url #{JSON.generate("file://#{Dir.pwd}/git/#{g['name']}.git")}]\\n\\tinsteadOf = #{JSON.generate(g['from'])}\\n" }.join)
require 'bundler'
require 'bundler/cli'

def git?(source) = Bundler::Source::Git === source
def path?(source) = Bundler::Source::Path === source && !git?(source)

begin
if ARGV[0] == 'sources'
  definition = Bundler::Dsl.evaluate('Gemfile', 'Gemfile.lock', {})
  gits = definition.send(:sources).git_sources
  puts JSON.generate(gits.map { |s|
    o = s.options
    { uri: s.uri.to_s, ref: (o['tag'] || o['branch'] || o['ref'])&.to_s, revision: o['revision']&.to_s }
  })
else
  wanted = options.fetch('platforms') || []
  Bundler::CLI.start(['lock', *wanted.reject { |p| p == 'ruby' }.flat_map { |p| ['--add-platform', p] }])
  text = File.read('Gemfile.lock')
  lock = Bundler::LockfileParser.new(text)
  local = lock.specs.select { |s| path?(s.source) && s.source.path.to_s != '.' }
  abort "gems of a path cannot be mirrored, but travel with the application: #{local.map(&:name).join(', ')}" unless local.empty?
  guest = (['x86_64-linux'] + wanted - ['ruby']).map { |p| Gem::Platform.new(p) }
  ours = lock.specs.reject { |s| git?(s.source) || path?(s.source) }.select { |s|
    s.platform == Gem::Platform::RUBY || s.platform.to_s == 'ruby' || guest.any? { |p| Gem::Platform.new(s.platform.to_s) === p }
  }
  checksums = text[/^CHECKSUMS\\n((?: .*\\n?)+)/, 1].to_s.scan(/^  (\\S+) \\(([^)]+)\\) sha256=(\\h{64})/)
    .to_h { |name, version, hex| ["#{name}-#{version}", hex] }
  puts JSON.generate(ours.map { |s|
    full = [s.name, s.version, *(s.platform.to_s == 'ruby' ? [] : [s.platform])].join('-')
    { name: s.name, version: s.version.to_s, platform: s.platform.to_s,
      remotes: s.source.remotes.map(&:to_s), checksum: checksums[full] }
  })
end
rescue Bundler::BundlerError => e
  abort e.message
end
`

/** Prints what gem files say of their licences: `{ "rack-3.1.0": ["MIT"] }`. */
export const LICENSES = `
require 'rubygems/package'
require 'json'
puts JSON.generate(Dir['gems/*.gem'].sort.to_h { |file|
  [File.basename(file, '.gem'), Gem::Package.new(file).spec.licenses]
})
`
