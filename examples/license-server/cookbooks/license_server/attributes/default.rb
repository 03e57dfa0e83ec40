# frozen_string_literal: true

# When the nightly backup is made (node.json overrides it).
default['license_server']['backup']['hour'] = '2'
default['license_server']['backup']['minute'] = '30'
