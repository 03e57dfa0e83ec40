# frozen_string_literal: true

require 'tmpdir'
require_relative 'settings'
require_relative 'system'

module LicenseServer
  # A tar file with everything that makes this server this customer's: the licences, the settings, and the secret
  # its answers are signed with (so keep it like a password). It can be restored into any later version.
  class Backup
    FORMAT = 1
    ABOUT = 'about.json'
    DUMP = 'licenses.dump' # of pg_dump, format "custom": unlike SQL, restoring one can start no programs
    SETTINGS = 'settings.json'
    API_SECRET = 'api.secret'
    MEMBERS = [ABOUT, DUMP, SETTINGS, API_SECRET].freeze

    class Unusable < StandardError; end

    def initialize(file)
      @file = File.expand_path(file)
    end

    def make
      Dir.mktmpdir do |folder|
        File.write("#{folder}/#{ABOUT}", JSON.generate(format: FORMAT, version: VERSION) << "\n")
        File.open("#{folder}/#{DUMP}", 'wb') do |dump|
          System.run_as_owner('pg_dump', '--format=custom', '--no-owner', Places::DATABASE, output: dump)
        end
        FileUtils.cp(Places::API_SECRET, "#{folder}/#{API_SECRET}")
        FileUtils.cp(Places::SETTINGS, "#{folder}/#{SETTINGS}") if File.exist?(Places::SETTINGS)
        pack(folder)
      end
    end

    # Looks at the whole backup before it changes anything.
    def restore
      Dir.mktmpdir do |folder|
        unpack(folder)
        settings = settings_in(folder)
        restore_database(folder)
        secret = File.read("#{folder}/#{API_SECRET}")
        System.write(Places::API_SECRET, secret, mode: 0o640, group: Places::USER)
        take_over(settings)
      end
      System.restart_application
      System.wait_until_healthy
    end

    private

    def pack(folder)
      partial = "#{@file}.partial"
      FileUtils.mkdir_p(File.dirname(@file))
      File.open(partial, File::WRONLY | File::CREAT | File::TRUNC, 0o600) { |io| io.chmod(0o600) }
      members = MEMBERS.select { |name| File.exist?("#{folder}/#{name}") }
      System.run('tar', '--create', '--file', partial, '--owner=root', '--group=root', '--directory', folder, '--',
                 *members)
      File.open(partial, &:fsync)
      File.rename(partial, @file)
    ensure
      FileUtils.rm_f(partial)
    end

    def unpack(folder)
      raise Unusable, "there is no #{@file}" unless File.file?(@file)

      found = System.run('tar', '--list', '--file', @file).lines(chomp: true)
      missing = MEMBERS - [SETTINGS] - found
      raise Unusable, "#{@file} is not a backup of this server: #{missing.first} is missing in it" if missing.any?

      System.run('tar', '--extract', '--file', @file, '--no-same-owner', '--directory', folder, '--',
                 *(MEMBERS & found))
      format = JSON.parse(File.read("#{folder}/#{ABOUT}")).fetch('format')
      raise Unusable, "#{@file} has format #{format}, this version reads #{FORMAT}" unless format == FORMAT
    rescue JSON::ParserError, KeyError, System::Failure => e
      raise Unusable, "#{@file} is not a backup of this server: #{e.message}"
    end

    def settings_in(folder)
      file = "#{folder}/#{SETTINGS}"
      Settings.parse(File.read(file)) if File.exist?(file)
    rescue JSON::ParserError, KeyError => e
      raise Unusable, "#{SETTINGS} in #{@file} cannot be read: #{e.message}"
    end

    # All of it or nothing: one transaction.
    def restore_database(folder)
      File.open("#{folder}/#{DUMP}", 'rb') do |dump|
        System.run_as_owner('pg_restore', '--clean', '--if-exists', '--no-owner', '--single-transaction',
                            "--dbname=#{Places::DATABASE}", input: dump)
      end
    end

    def take_over(settings)
      return FileUtils.rm_f(Places::SETTINGS) unless settings

      System.write(Places::SETTINGS, settings.to_json, mode: 0o640, group: Places::USER)
      System.rename_host(settings.hostname)
    end
  end
end
