# frozen_string_literal: true

require 'pg'
require 'time'
require_relative 'places'

module LicenseServer
  # The licences in the database. Each thread has a connection of its own; one that broke is made anew.
  class Licenses
    License = Struct.new(:key, :product, :registered_at)

    class Duplicate < StandardError; end
    class Unavailable < StandardError; end

    def add(key, product)
      license_of(query(<<~SQL, key, product).first)
        INSERT INTO licenses (key, product) VALUES ($1, $2) RETURNING key, product, registered_at
      SQL
    rescue PG::UniqueViolation
      raise Duplicate, "there already is a licence #{key}"
    end

    def find(key)
      license_of(query('SELECT key, product, registered_at FROM licenses WHERE key = $1', key).first)
    end

    def latest(count)
      query('SELECT key, product, registered_at FROM licenses ORDER BY registered_at DESC, key LIMIT $1', count)
        .map { |row| license_of(row) }
    end

    # Product code => number of licences.
    def count_by_product
      query('SELECT product, count(*) FROM licenses GROUP BY product')
        .to_h { |row| [row['product'], row['count'].to_i] }
    end

    def ready?
      query('SELECT 1 FROM licenses LIMIT 1')
      true
    rescue Unavailable, PG::Error
      false
    end

    private

    def query(sql, *values)
      tries ||= 0
      connection.exec_params(sql, values)
    rescue PG::ConnectionBad, PG::UnableToSend, PG::AdminShutdown => e
      # PostgreSQL was restarted since the last query: once more, on a new connection.
      Thread.current[:license_server_database] = nil
      retry if (tries += 1) < 2
      raise Unavailable, e.message
    end

    def connection
      Thread.current[:license_server_database] ||= PG.connect(dbname: Places::DATABASE, connect_timeout: 5)
    end

    def license_of(row)
      row && License.new(row['key'], row['product'], Time.parse(row['registered_at']).utc)
    end
  end
end
