# frozen_string_literal: true

require 'tmpdir'
require_relative 'system'

module LicenseServer
  # What support needs to see, in one file, without any secret: it may be sent by mail.
  class SupportBundle
    COMMANDS = {
      'journal.txt' => %w[journalctl --no-pager --lines=5000 --unit=license-server --unit=nginx
                          --unit=postgresql@15-main --unit=appliance-first-boot],
      'units.txt' => %w[systemctl list-units --all --no-pager],
      'packages.txt' => %w[dpkg-query --list],
      'disks.txt' => %w[df --human-readable],
      'memory.txt' => %w[cat /proc/meminfo],
      'addresses.txt' => %w[ip address],
      'sockets.txt' => %w[ss --listening --tcp --udp --numeric],
    }.freeze

    def initialize(file)
      @file = File.expand_path(file)
    end

    def make
      Dir.mktmpdir do |parent|
        folder = "#{parent}/license-server-support"
        FileUtils.mkdir_p([folder, File.dirname(@file)])
        COMMANDS.each { |name, argv| File.write("#{folder}/#{name}", said_by(argv)) }
        about = { version: VERSION, health: System.health, units: System.states }
        File.write("#{folder}/about.json", JSON.pretty_generate(about) << "\n")
        System.run('tar', '--create', '--gzip', '--file', @file, '--directory', parent, 'license-server-support')
      end
      File.chmod(0o600, @file)
    end

    private

    # A program that is missing or fails is a finding too.
    def said_by(argv)
      Open3.capture2e(*argv).first
    rescue SystemCallError => e
      "#{e.message}\n"
    end
  end
end
