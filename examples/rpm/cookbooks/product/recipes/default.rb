# frozen_string_literal: true

package %w[nginx logrotate]

service 'nginx' do
  action %i[enable start]
end
