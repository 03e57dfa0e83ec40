# frozen_string_literal: true

# Debian's package would make a database cluster now, the same one for every customer.
directory '/etc/postgresql-common'
file '/etc/postgresql-common/createcluster.conf' do
  content "# The cluster is made at the appliance's first boot.\ncreate_main_cluster = false\n"
end

package %w[cron git logrotate nginx-light postgresql puma ruby ruby-bundler ruby-pg] do
  options '--no-install-recommends'
end

# Debian's ruby-pg has its files elsewhere; without this folder Bundler takes its gem for a deleted one.
directory '/usr/share/rubygems-integration/3.1.0/gems/pg-1.4.5' do
  recursive true
end
