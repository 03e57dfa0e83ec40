# frozen_string_literal: true

require 'json'
require 'openssl'
require 'securerandom'
require_relative 'places'

module LicenseServer
  # What `license-server configure` was told: the host name and the administrator's password, as a digest.
  class Settings
    ITERATIONS = 50_000
    MINIMUM_PASSWORD = 8
    LABEL = /[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?/i # RFC 1123, 2.1
    HOSTNAME = /\A(?=.{1,253}\z)#{LABEL}(?:\.#{LABEL})*\z/

    attr_reader :hostname

    # nil as long as nobody has configured this machine.
    def self.read(file = Places::SETTINGS)
      parse(File.read(file))
    rescue Errno::ENOENT
      nil
    end

    def self.parse(text)
      told = JSON.parse(text)
      new(told.fetch('hostname'), told.fetch('password_salt'), told.fetch('password_digest'))
    end

    def self.make(hostname, password)
      salt = SecureRandom.hex(16)
      new(hostname, salt, digest(password, salt))
    end

    def self.digest(password, salt)
      OpenSSL::KDF.pbkdf2_hmac(password, salt: salt, iterations: ITERATIONS, length: 32, hash: 'SHA256')
                  .unpack1('H*')
    end

    def initialize(hostname, salt, digest)
      @hostname = hostname
      @salt = salt
      @digest = digest
    end

    def password?(password)
      OpenSSL.fixed_length_secure_compare(self.class.digest(password.to_s, @salt), @digest)
    end

    def to_json(*)
      JSON.pretty_generate(hostname: @hostname, password_salt: @salt, password_digest: @digest) << "\n"
    end
  end
end
