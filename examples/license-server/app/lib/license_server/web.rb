# frozen_string_literal: true

require 'json'
require 'openssl'
require 'sinatra/base'
require_relative 'catalogue'
require_relative 'key'
require_relative 'licenses'
require_relative 'settings'

module LicenseServer
  # What is seen over HTTP: the interface for products (JSON), and pages for people.
  class Web < Sinatra::Base
    set :root, Places::APPLICATION
    set :sessions, same_site: :lax, httponly: true
    set :session_secret, File.read(Places::SESSION_SECRET).strip
    set :api_secret, File.read(Places::API_SECRET).strip
    set :catalogue, Catalogue.read
    set :licenses, Licenses.new
    set :show_exceptions, false

    get '/health' do
      ready = licenses.ready?
      status ready ? 200 : 503
      answer(status: ready ? 'ok' : 'failing', database: ready ? 'ok' : 'unreachable',
             configured: configured?, version: VERSION)
    end

    post '/licenses' do
      refuse 503, 'this server is not configured yet: run license-server configure' unless configured?
      told = parsed_body
      key, code = told.values_at('key', 'product')
      refuse 422, 'key must look like ABCD-1234: groups of four capitals or digits' unless Key.valid?(key)
      product = code.nil? ? catalogue.standard : catalogue[code]
      refuse 422, "there is no product #{code.inspect} in the catalogue" unless product
      status 201
      headers 'Location' => "/licenses/#{key}"
      answer(shown(licenses.add(key, product.code)))
    end

    get '/licenses/:key' do |key|
      license = Key.valid?(key) && licenses.find(key)
      refuse 404, "there is no licence #{key.scrub}" unless license
      answer(shown(license))
    end

    get('/') { erb :status }

    get '/licenses' do
      redirect to('/login') unless session[:administrator]
      erb :licenses, locals: { latest: licenses.latest(100) }
    end

    get('/login') { erb :login, locals: { wrong: false } }

    post '/login' do
      if settings_now&.password?(params['password'])
        session[:administrator] = true
        redirect to('/licenses')
      end
      status 403
      erb :login, locals: { wrong: true }
    end

    post '/logout' do
      session.clear
      redirect to('/')
    end

    not_found { answer(error: 'there is nothing here') if response.body.empty? }

    error Licenses::Duplicate do |duplicate|
      status 409
      answer(error: duplicate.message)
    end

    error Licenses::Unavailable, PG::Error do |trouble|
      warn trouble.full_message(highlight: false)
      status 503
      answer(error: 'the database does not answer')
    end

    error { answer(error: 'this server failed; its journal says how') }

    helpers do
      def catalogue = settings.catalogue
      def licenses = settings.licenses

      # Read anew each time: `configure` and `restore` need no restart to be seen.
      def settings_now = Settings.read
      def configured? = !settings_now.nil?

      def answer(content)
        content_type :json
        JSON.generate(content)
      end

      def refuse(code, message)
        halt code, answer(error: message)
      end

      def parsed_body
        told = JSON.parse(request.body.read)
        told.is_a?(Hash) ? told : refuse(422, 'expected a JSON object such as {"key": "ABCD-1234"}')
      rescue JSON::ParserError, EncodingError
        refuse 422, 'expected a JSON object such as {"key": "ABCD-1234"}'
      end

      # A licence as products see it. They know by the signature that the answer is this server's.
      def shown(license)
        fields = { key: license.key, product: license.product, registered_at: license.registered_at.iso8601 }
        signature = OpenSSL::HMAC.hexdigest('SHA256', settings.api_secret, fields.values.join("\n"))
        fields.merge(product_title: catalogue[license.product]&.title, signature: signature)
      end

      def h(text) = Rack::Utils.escape_html(text.to_s)
    end
  end
end
