# frozen_string_literal: true

require 'io/console'
require 'optparse'
require_relative 'backup'
require_relative 'console'
require_relative 'settings'
require_relative 'support_bundle'
require_relative 'system'

module LicenseServer
  # license-server configure|status|backup|restore|support-bundle|console
  class Command
    # What the user has to do differently; said in one line.
    class Refused < StandardError; end

    USAGE = <<~TEXT
      Usage: license-server COMMAND

        configure [--hostname NAME] [--admin-password PASSWORD | --admin-password-file FILE]
                              name this server and set the administrator's password (the
                              pages', and root's on the console); asks for what is not given,
                              if there is somebody to ask. The password may come in
                              LICENSE_SERVER_PASSWORD instead.
        status                what runs; exit status 0 when all is well
        backup FILE           licences and settings into a tar file
        restore FILE          the licences and settings of a backup, in place of the present ones
        support-bundle FILE   logs and states for support, without secrets, as a .tar.gz
        console               what this machine's screen shows
        version
    TEXT

    # Returns the exit status: 0 done, 1 it failed, 2 it was asked for in a wrong way.
    def run(arguments)
      command, *rest = arguments
      case command
      when 'configure' then configure(rest)
      when 'status' then return status
      when 'console' then Console.new.run { configure([]) }
      when 'backup' then with_file(rest) { |file| Backup.new(file).make }
      when 'restore' then with_file(rest) { |file| Backup.new(file).restore }
      when 'support-bundle' then with_file(rest) { |file| SupportBundle.new(file).make }
      when 'version', '--version' then puts VERSION
      when nil, 'help', '--help', '-h' then puts USAGE
      else raise Refused, "there is no command #{command}; see license-server help"
      end
      0
    rescue Refused, OptionParser::ParseError => e
      complain(e, 2)
    rescue Backup::Unusable, System::Failure, SystemCallError => e
      complain(e, 1)
    rescue Interrupt
      130
    end

    private

    def complain(error, status)
      warn "license-server: #{error.message}"
      status
    end

    def with_file(arguments)
      raise Refused, 'name exactly one file; see license-server help' unless arguments.size == 1

      as_root
      yield arguments.first
    end

    def as_root
      raise Refused, 'only root may do this' unless Process.uid.zero?
    end

    def configure(arguments)
      given = parse(arguments)
      as_root
      hostname = given[:hostname] || ask('Host name of this server (such as licenses.example.com)', '--hostname')
      raise Refused, "#{hostname.inspect} cannot be a host name" unless Settings::HOSTNAME.match?(hostname)

      password = usable(given[:password] || ask_password)
      settings = Settings.make(hostname, password)
      System.give_root(password)
      System.write(Places::SETTINGS, settings.to_json, mode: 0o640, group: Places::USER)
      System.rename_host(hostname)
      puts "Configured #{hostname}."
    end

    def parse(arguments)
      given = { password: ENV.fetch('LICENSE_SERVER_PASSWORD', nil) }
      rest = OptionParser.new do |options|
        options.on('--hostname NAME') { |name| given[:hostname] = name }
        options.on('--admin-password PASSWORD') { |password| given[:password] = password }
        options.on('--admin-password-file FILE') { |file| given[:password] = File.read(file).chomp }
      end.parse(arguments)
      raise Refused, "configure takes no #{rest.first}" if rest.any?

      given
    end

    def ask(question, option)
      raise Refused, "nobody is at the console to ask: give #{option}" unless $stdin.tty?

      print "#{question}: "
      $stdin.gets&.strip or raise Interrupt
    end

    def ask_password
      raise Refused, 'nobody is at the console to ask: give --admin-password' unless $stdin.tty?

      password = $stdin.getpass("Administrator's password: ")
      raise Refused, 'the two passwords differ' unless $stdin.getpass('The same again: ') == password

      password
    end

    def usable(password)
      raise Refused, 'a password has no control characters' if password.match?(/[[:cntrl:]]/)
      return password if password.length >= Settings::MINIMUM_PASSWORD

      raise Refused, "the administrator's password needs at least #{Settings::MINIMUM_PASSWORD} characters"
    end

    def status
      states = System.states
      health = System.health
      states.each { |unit, state| puts format('%-20<unit>s %<state>s', unit: unit, state: state) }
      puts format('%-20<what>s %<state>s', what: 'health', state: health ? health['status'] : 'no answer')
      puts format('%-20<what>s %<state>s', what: 'configured', state: Settings.read&.hostname || 'no')
      states.values.all?('active') && health&.fetch('status') == 'ok' ? 0 : 1
    end
  end
end
