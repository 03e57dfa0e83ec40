# frozen_string_literal: true

cookbook_file '/etc/nginx/sites-available/license-server' do
  source 'nginx-site'
  notifies :reload, 'service[nginx]'
end

link '/etc/nginx/sites-enabled/license-server' do
  to '../sites-available/license-server'
  notifies :reload, 'service[nginx]'
end

link '/etc/nginx/sites-enabled/default' do
  action :delete
  notifies :reload, 'service[nginx]'
end

service 'nginx' do
  action %i[enable start]
end
