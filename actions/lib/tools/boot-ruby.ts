/** Ruby's version and ABI directory in the tools root (Debian 13). */
export const RUBY = '3.3'
export const ABI = '3.3.0'

/**
 * Makes a Ruby that was installed in `/` work from `tools`, then loads the program that is its first argument.
 *
 * @param home where gems may be installed to
 */
export function bootRuby(tools: string, home: string): string {
  return `# frozen_string_literal: true
# Makes a Ruby that was installed in / work from ${tools}.
ENV.delete('RUBYLIB')
tools = '${tools}'
arch = "#{tools}/usr/lib/x86_64-linux-gnu/ruby"
$LOAD_PATH.replace([
  "#{tools}/usr/local/lib/site_ruby/${ABI}", "#{tools}/usr/local/lib/site_ruby",
  "#{tools}/usr/lib/ruby/vendor_ruby/${ABI}", "#{arch}/vendor_ruby/${ABI}", "#{tools}/usr/lib/ruby/vendor_ruby",
  "#{tools}/usr/lib/ruby/${ABI}", "#{arch}/${ABI}"
])
require 'rbconfig'
RbConfig::CONFIG.each { |_, value| value.gsub!(%r{(?<![^:= ])/(usr|var)(?=/|\\z)}, "#{tools}/\\\\1") if value.is_a?(String) && !value.frozen? }
require 'rubygems'
home = '${home}'
path = [
  home, "#{tools}/var/lib/gems/${ABI}", "#{tools}/usr/lib/ruby/gems/${ABI}",
  "#{tools}/usr/lib/x86_64-linux-gnu/rubygems-integration/${ABI}",
  "#{tools}/usr/share/rubygems-integration/${ABI}", "#{tools}/usr/share/rubygems-integration/all"
]
# Chef clears the paths while it runs, and programs it starts must not find these in their environment.
Gem.define_singleton_method(:default_dir) { home }
Gem.define_singleton_method(:default_path) { path }
Gem.clear_paths
script = ARGV.shift
$PROGRAM_NAME = script
load script
`
}
