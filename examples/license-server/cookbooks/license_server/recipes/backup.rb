# frozen_string_literal: true

directory '/var/backups/license-server' do
  mode '0700'
end

# One file a weekday, so a week of them. cron ends a line at an unescaped %.
cron_d 'license-server' do
  hour node['license_server']['backup']['hour']
  minute node['license_server']['backup']['minute']
  command '/usr/local/bin/license-server backup /var/backups/license-server/day-$(date +\%u).tar'
end
