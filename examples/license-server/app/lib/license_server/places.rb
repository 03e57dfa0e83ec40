# frozen_string_literal: true

module LicenseServer
  # Where everything is. LICENSE_SERVER_ROOT moves it all aside, for trying things out on a laptop.
  module Places
    ROOT = ENV.fetch('LICENSE_SERVER_ROOT', '')

    APPLICATION = File.expand_path('../..', __dir__)
    CATALOGUE = "#{ROOT}/opt/license-server/catalogue"
    SETTINGS = "#{ROOT}/etc/license-server/settings.json"
    SESSION_SECRET = "#{ROOT}/etc/license-server/secrets/session"
    API_SECRET = "#{ROOT}/etc/license-server/secrets/api"

    # The system user the application runs as; its database and its role in PostgreSQL have the same name, so
    # PostgreSQL knows it by its user id ("peer") and there is no database password anywhere.
    USER = 'license-server'
    DATABASE = 'license-server'
  end

  VERSION = File.read("#{Places::APPLICATION}/VERSION").strip.freeze
end
