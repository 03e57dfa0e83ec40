# frozen_string_literal: true

# nginx stands in front and talks to this socket; systemd makes the folder (RuntimeDirectory=).
bind ENV.fetch('LICENSE_SERVER_BIND', 'unix:///run/license-server/puma.sock?umask=0111')
environment 'production'
threads 1, 5
