# frozen_string_literal: true

name 'license_server'
maintainer 'Example Ltd'
description 'Configures a Debian 12 machine as the License Server appliance'
version '1.0.0'
chef_version '>= 18.0'
supports 'debian', '>= 12.0'
