# frozen_string_literal: true

require 'socket'
require_relative 'settings'

module LicenseServer
  # What the machine's screen shows: a set-up dialogue as long as nobody has configured it, then the usual login.
  class Console
    LOGIN = %w[/sbin/agetty --noclear -].freeze

    # The block configures; it asks for what it needs.
    def run(&configure)
      until Settings.read
        puts greeting
        $stdin.gets or return # the line was hung up; systemd starts us again
        attempt(&configure) unless Settings.read
      end
      exec(*LOGIN, ENV.fetch('TERM', 'linux'))
    end

    private

    def attempt
      yield
    rescue StandardError => e
      puts "\nThat did not work: #{e.message}"
    end

    def greeting
      <<~TEXT

        License Server #{VERSION} is not configured yet.
        Its address: #{addresses.map { |address| "http://#{address}/" }.join(' ')}

        Press Enter to configure it.
      TEXT
    end

    def addresses
      found = Socket.ip_address_list.select { |address| address.ipv4? && !address.ipv4_loopback? }
      found.empty? ? ['none-yet'] : found.map(&:ip_address)
    end
  end
end
