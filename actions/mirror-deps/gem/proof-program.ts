/**
 * Runs in the root's Ruby, in `/work`, in a network namespace of its own: brings up the loopback there
 * (netdevice(7), SIOCSIFFLAGS), leads port 80 of it to the mirror's socket, and runs `command`. Prints one line of
 * JSON: the command's exit status, what it said, and what {@link EXTENSIONS} left uncompiled.
 */
export const PROGRAM = `
require 'json'
require 'open3'
require 'socket'
options = JSON.parse(File.read('options.json'))
Socket.new(:INET, :DGRAM).ioctl(0x8914, ['lo', 1].pack('a16sx22'))
mirror = TCPServer.new('127.0.0.1', 80)
Thread.new do
  loop do
    Thread.new(mirror.accept) do |client|
      server = UNIXSocket.new('mirror.sock')
      [[client, server], [server, client]].map { |from, to|
        Thread.new { IO.copy_stream(from, to) rescue nil; to.close_write rescue nil }
      }.each(&:join)
      [client, server].each(&:close)
    end
  end
end
here = ->(name) { File.expand_path(name) }
env = {
  'GEM_HOME' => here['gems'], 'BUNDLE_PATH' => nil, 'HOME' => here['home'], 'RUBYOPT' => "-r#{here['extensions.rb']}", 'MAKEFLAGS' => '-j2',
  'BUNDLE_USER_CONFIG' => here['bundle-config'], 'GIT_CONFIG_GLOBAL' => here['gitconfig'],
  'APPLIANCE_UNCOMPILED' => here['uncompiled'], 'BUNDLE_FORCE_RUBY_PLATFORM' => options['from source'] ? 'true' : nil
}
said, status = Open3.capture2e(env, *options['command'])
uncompiled = File.exist?('uncompiled') ? File.readlines('uncompiled').map { |line| JSON.parse(line) } : []
puts JSON.generate({ done: status.success?, said: said[-65_536..] || said, uncompiled: uncompiled })
`

/**
 * Loaded into RubyGems: C extensions are compiled where the root has what that takes; what cannot be is noted, and
 * the gem is installed all the same, since it says nothing against the mirror.
 */
export const EXTENSIONS = `
require 'rubygems/installer'
module Uncompiled
  def build_extensions
    return if spec.extensions.empty?
    config = RbConfig::CONFIG
    path = ENV['PATH'].split(':')
    able = File.exist?(File.join(config['rubyhdrdir'], 'ruby.h')) &&
      [config['CC'].split.first, 'make'].all? { |name| path.any? { |folder| File.executable?(File.join(folder, name)) } }
    return note(nil) unless able
    super
  rescue Gem::Ext::BuildError => error
    lines = error.message.lines.map(&:strip)
    note(lines.drop(1).grep(/error:|\\bmissing|not found|cannot find|No such|unable/i).first || lines.first)
  end

  def note(why)
    require 'json'
    File.open(ENV['APPLIANCE_UNCOMPILED'], 'a') { |io| io.puts JSON.generate({ gem: spec.full_name, why: why }) }
  end
end
Gem::Installer.prepend(Uncompiled)
`
