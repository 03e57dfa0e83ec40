# frozen_string_literal: true

package %w[nginx-light logrotate] do
  options '--no-install-recommends'
end

cookbook_file '/var/www/html/index.html' do
  source 'index.html'
  mode '0644'
end
