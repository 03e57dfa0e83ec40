/** What begins a line of {@link eventsHandler}'s; anything else on the same stream is what somebody printed. */
export const EVENT_MARK = '\u001eappliance '

/**
 * A Chef event handler of ours: writes what Chef does as one JSON object a line (see events.ts). Its times are from a
 * clock that nobody sets.
 *
 * @see https://github.com/chef/chef/blob/main/lib/chef/event_dispatch/base.rb
 */
export const eventsHandler = `# frozen_string_literal: true
require 'json'
require 'chef/event_dispatch/base'

module Appliance
  # Tells the build what Chef does, as it does it.
  class Events < Chef::EventDispatch::Base
    def initialize
      super
      @open = []
    end

    def run_start(version, _status)
      tell('run', chef: version.to_s)
    end

    def resource_action_start(resource, action, _type = nil, notifier = nil)
      tell('begin', depth: @open.size, resource: name_of(resource), action: action.to_s,
                    recipe: [resource.cookbook_name, resource.recipe_name].compact.join('::'),
                    notifier: notifier && name_of(notifier))
      @open.push([resource, now])
    end

    def resource_skipped(resource, action, _conditional)
      over('skipped', resource, action)
    end

    def resource_up_to_date(resource, action)
      over('up-to-date', resource, action)
    end

    def resource_updated(resource, action)
      over('updated', resource, action)
    end

    def resource_bypassed(resource, action, _current)
      over('skipped', resource, action)
    end

    def resource_failed_retriable(resource, _action, left, exception)
      tell('retry', depth: @open.size, left: left, resource: name_of(resource), message: exception.message.to_s[0, 400])
    end

    def resource_failed(resource, action, exception)
      # Also told of one that the recipe lets fail.
      ignored = resource.ignore_failure ? true : nil
      tell('failure', depth: depth_of(resource), resource: name_of(resource), action: action.to_s,
                      line: resource.source_line.to_s, ignored: ignored, **told(exception, resource.sensitive))
      over(ignored ? 'ignored' : 'failed', resource, action)
    end

    def stream_output(_stream, output, _options = {})
      tell('output', depth: @open.size, text: output.to_s) unless @open.last&.first&.sensitive
    end

    %i[recipe library attribute definition lwrp].each do |kind|
      define_method(:"#{kind}_file_load_failed") do |path, exception, *_rest|
        tell('failure', file: path.to_s, **told(exception))
      end
    end

    def recipe_not_found(exception)
      tell('failure', **told(exception))
    end

    def deprecation(message, _location = nil)
      tell('deprecation', text: message.to_s)
    end

    def run_failed(exception, _status)
      tell('run-failed', **told(exception))
    end

    def run_completed(_node, _status)
      tell('run-completed')
    end

    private

    def over(state, resource, action)
      # Subresources of a failed one may not have been told of.
      @open.pop until @open.empty? || @open.last.first.equal?(resource)
      _, began = @open.pop
      tell('end', depth: @open.size, resource: name_of(resource), action: action.to_s, state: state,
                  recipe: [resource.cookbook_name, resource.recipe_name].compact.join('::'),
                  seconds: began ? (now - began).round(3) : 0)
    end

    def depth_of(resource)
      @open.rindex { |open, _| open.equal?(resource) } || @open.size
    end

    def name_of(resource)
      resource.respond_to?(:declared_type) ? "#{resource.declared_type}[#{[resource.name].flatten.join(', ')}]" : resource.to_s
    end

    def told(exception, sensitive = false)
      exception = exception.wrapped_exception if exception.respond_to?(:wrapped_exception)
      message = sensitive ? 'suppressed: the resource is sensitive' : exception.message.to_s
      { error: exception.class.name, message: message[-4000, 4000] || message,
        trace: Array(exception.backtrace).grep(%r{/cookbooks|/cookbook_artifacts/}).first(5) }
    end

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end

    def tell(event, **more)
      line = JSON.generate({ event: event, **more }.compact)
    rescue JSON::GeneratorError, EncodingError
      line = JSON.generate(more.compact.merge(event: event).transform_values { |v| v.is_a?(String) ? v.b.scrub('?').encode('UTF-8', 'BINARY', invalid: :replace, undef: :replace) : v })
    ensure
      STDOUT.write("\\u001eappliance #{line}\\n") if line
      STDOUT.flush
    end
  end
end
`
