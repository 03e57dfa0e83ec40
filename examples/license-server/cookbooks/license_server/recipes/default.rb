# frozen_string_literal: true

# The whole machine, in the order in which things need each other. What must differ from customer to customer
# (database cluster, secrets) is not made here but at their first boot: see first-boot/.
include_recipe 'license_server::packages'
include_recipe 'license_server::application'
include_recipe 'license_server::web'
include_recipe 'license_server::backup'
include_recipe 'license_server::console'
