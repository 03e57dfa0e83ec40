# frozen_string_literal: true

name 'minimal'
maintainer 'Example Ltd'
description 'nginx with one page'
version '0.1.0'
chef_version '>= 18.0'
supports 'debian', '>= 12.0'
