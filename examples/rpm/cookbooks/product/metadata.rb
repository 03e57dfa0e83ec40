# frozen_string_literal: true

name 'product'
maintainer 'Example Ltd'
description 'nginx on an RPM distribution'
version '0.1.0'
chef_version '>= 18.0'
supports 'rocky', '>= 9.0'
