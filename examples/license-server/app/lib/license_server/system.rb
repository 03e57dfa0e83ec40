# frozen_string_literal: true

require 'fileutils'
require 'json'
require 'net/http'
require 'open3'
require_relative 'places'

module LicenseServer
  # The machine the server runs on: its programs, files, units.
  module System
    # A program that failed; the message is its own last words.
    class Failure < StandardError; end

    UNITS = %w[license-server nginx postgresql@15-main cron].freeze
    HEALTH = URI('http://127.0.0.1/health')

    module_function

    def run(*argv, input: '')
      output, said, status = Open3.capture3(*argv, stdin_data: input)
      return output if status.success?

      raise Failure, "#{argv.first} failed: #{said.strip.lines.first&.strip || status}"
    end

    # As the application's own user, who owns the database. `input` and `output` are open files. By its full path:
    # cron's PATH has no sbin.
    def run_as_owner(*argv, input: File::NULL, output: File::NULL)
      errors, writer = IO.pipe
      child = spawn('/usr/sbin/runuser', '-u', Places::USER, '--', *argv, in: input, out: output, err: writer, chdir: '/')
      writer.close
      said = errors.read
      _, status = Process.wait2(child)
      raise Failure, "#{argv.first} failed: #{said.strip.lines.first&.strip || status}" unless status.success?
    end

    # Never half-written: a power cut leaves the old file or the new one.
    def write(file, content, mode:, group: 'root')
      partial = "#{file}.partial"
      File.open(partial, File::WRONLY | File::CREAT | File::TRUNC, mode) do |io|
        io.chmod(mode)
        FileUtils.chown('root', group, partial)
        io.write(content)
        io.fsync
      end
      File.rename(partial, file)
    end

    # The machine's own name, now and after the next boot (Debian Reference, 5.1.1).
    def rename_host(name)
      write('/etc/hostname', "#{name}\n", mode: 0o644)
      hosts = File.readlines('/etc/hosts', chomp: true).reject { |line| line.start_with?('127.0.1.1') }
      names = [name, name[/\A[^.]+/]].uniq.join(' ')
      write('/etc/hosts', [*hosts, "127.0.1.1\t#{names}"].join("\n") << "\n", mode: 0o644)
      run('hostname', name)
    end

    # So that somebody can log in at all: the appliance comes with no password.
    def give_root(password)
      run('chpasswd', input: "root:#{password}\n")
    end

    def restart_application
      run('systemctl', 'restart', 'license-server.service')
    end

    def states
      UNITS.to_h { |unit| [unit, Open3.capture2e('systemctl', 'is-active', unit).first.strip] }
    end

    # What GET /health answers, through nginx as a customer would ask; nil when nothing answers.
    def health
      answer = Net::HTTP.start(HEALTH.host, HEALTH.port, open_timeout: 5, read_timeout: 20) do |http|
        http.get(HEALTH.path)
      end
      JSON.parse(answer.body)
    rescue SystemCallError, IOError, Timeout::Error, JSON::ParserError
      nil
    end

    def wait_until_healthy(seconds: 180)
      deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + seconds
      until health&.fetch('status') == 'ok'
        raise Failure, "the server does not answer within #{seconds} s; see: license-server status" if
          Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline

        sleep 0.5
      end
    end
  end
end
