# frozen_string_literal: true

module LicenseServer
  # A licence key: two to eight groups of four capitals or digits, such as ABCD-1234.
  module Key
    FORM = /\A[A-Z0-9]{4}(?:-[A-Z0-9]{4}){1,7}\z/

    def self.valid?(text)
      text.is_a?(String) && text.valid_encoding? && FORM.match?(text)
    end
  end
end
