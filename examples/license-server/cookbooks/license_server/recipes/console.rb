# frozen_string_literal: true

# The first screen asks the customer to configure the machine, then is an ordinary login.
directory '/etc/systemd/system/getty@tty1.service.d'

cookbook_file '/etc/systemd/system/getty@tty1.service.d/license-server.conf' do
  source 'getty-license-server.conf'
end
