# frozen_string_literal: true

require 'json'
require_relative 'places'

module LicenseServer
  # The products licences are for: products.json of the catalogue's git repository, checked out by the cookbook.
  class Catalogue
    Product = Struct.new(:code, :title)

    attr_reader :products, :revision

    def self.read(folder = Places::CATALOGUE)
      products = JSON.parse(File.read("#{folder}/products.json")).fetch('products')
      new(products.map { |entry| Product.new(entry.fetch('code'), entry.fetch('title')) },
          File.read("#{folder}/REVISION").strip)
    end

    def initialize(products, revision)
      @products = products.freeze
      @revision = revision
    end

    def [](code)
      products.find { |product| product.code == code }
    end

    # What a licence is for when its request does not say.
    def standard
      products.first
    end
  end
end
