# frozen_string_literal: true

app = '/opt/license-server/app' # its Gemfile is there already; the rest comes last (appliance.yml)
catalogue = '/opt/license-server/catalogue'
mirror = ENV.fetch('APPLIANCE_MIRROR')

group 'license-server' do
  system true
end

user 'license-server' do
  system true
  gid 'license-server'
  home '/opt/license-server'
  shell '/usr/sbin/nologin'
end

directory '/etc/license-server' do
  group 'license-server'
  mode '0750'
end

# An ordinary `bundle install`: during the build, Bundler's own configuration leads it to the mirror.
execute 'bundle install' do
  cwd app
  environment 'BUNDLE_FROZEN' => 'true', 'BUNDLE_SILENCE_ROOT_WARNING' => 'true'
  not_if 'bundle check', cwd: app, environment: { 'BUNDLE_FROZEN' => 'true' }
end

# The catalogue's files and the name of their commit, without the repository: that would remember the mirror.
clone = "#{Chef::Config[:file_cache_path]}/catalogue.git"
execute 'clone the catalogue' do
  command ['git', 'clone', '--quiet', '--bare', "#{mirror}/git/catalogue.git", clone]
  not_if { ::File.exist?(clone) }
end

directory catalogue

execute 'check out the catalogue' do
  command "git -C #{clone} archive HEAD | tar --extract --no-same-owner --directory #{catalogue} && " \
          "git -C #{clone} rev-parse HEAD > #{catalogue}/REVISION"
end

# The status page's base style sheet: one file of a tarball.
tarball = "#{Chef::Config[:file_cache_path]}/normalize.css.tar.gz"
remote_file tarball do
  source "#{mirror}/file/normalize.css/node-normalize.css_8.0.1.orig.tar.gz"
end

directory "#{app}/public"

execute 'unpack normalize.css' do
  command ['tar', '--extract', '--gzip', '--file', tarball, '--directory', "#{app}/public",
           '--strip-components=1', '--no-same-owner', 'normalize.css-8.0.1/normalize.css']
  creates "#{app}/public/normalize.css"
end

link '/usr/local/bin/license-server' do
  to "#{app}/bin/license-server"
end

cookbook_file '/etc/systemd/system/license-server.service' do
  source 'license-server.service'
end

# Only enabled: it has no database before the first boot.
service 'license-server' do
  action :enable
end
