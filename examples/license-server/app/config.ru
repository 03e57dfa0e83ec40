# frozen_string_literal: true

require_relative 'lib/license_server/web'

run LicenseServer::Web
