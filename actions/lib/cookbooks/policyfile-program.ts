import { BEGINNING, PATIENCE } from './program.ts'

/**
 * By chef-cli, whose store is at COOKBOOKS. `solve` takes the lock that is there as it is, if it is this Policyfile's;
 * `vendor` does what `chef export` does.
 *
 * @see https://docs.chef.io/policyfile/ and https://docs.chef.io/workstation/ctl_chef/#chef-export
 */
export const POLICYFILE_PROGRAM = `${BEGINNING}
begin
  require 'net/http'
  require 'mixlib/shellout'
  require 'chef-cli/policyfile_compiler'
  require 'chef-cli/policyfile_services/export_repo'
rescue LoadError
  fault 'input', 'needs chef-cli: add chef-cli: "*" to the gems for: tools (mirror.gem)'
end
${PATIENCE}
CookbookOmnifetch.configure do |c|
  c.cache_path = File.join(ENV['HOME'], 'cache')
  c.storage_path = Pathname.new(ENV['COOKBOOKS'])
end
lock = File.exist?(LOCK) ? JSON.parse(File.read(LOCK)) : nil
compiler = nil

# What of the Policyfile its lock does not say.
differing = lambda do
  said = {
    'name' => compiler.name, 'run_list' => compiler.normalized_run_list,
    'named_run_lists' => compiler.normalized_named_run_lists,
    'default_attributes' => compiler.default_attributes, 'override_attributes' => compiler.override_attributes
  }
  keys = said.reject { |key, value| JSON.parse(JSON.generate(value)) == (lock[key] || (value.is_a?(Hash) ? {} : nil)) }.keys
  compiler.cookbook_location_specs.each do |name, spec|
    was = lock['cookbook_locks'][name]
    given = was && was['source_options']
    same = was && spec.version_constraint.satisfies?(was['version']) &&
      spec.source_options.slice(:git, :branch, :tag, :path, :rel).all? { |key, value| given[key.to_s] == value.to_s }
    keys << "cookbook #{name}" unless same
  end
  keys
end

begin
  if %w{sources solve}.include?(what)
    compiler = ChefCLI::PolicyfileCompiler.evaluate(File.read(FILE), FILE)
    compiler.error!
    differs = lock ? differing.() : []
    fault 'input', "#{File.basename(FILE, '.rb')}.lock.json is another Policyfile's: #{differs.join(', ')} changed since; run \`chef update\`" unless differs.empty?
  end
  case what
  when 'sources'
    gits = compiler.cookbook_location_specs.values.select { |s| %i{git github}.include?(s.source_type) }
    locks = (lock || {}).fetch('cookbook_locks', {})
    puts JSON.generate(gits.map { |s|
      at = s.installer
      was = locks.dig(s.name, 'source_options') || {}
      { uri: at.uri, ref: at.ref || at.branch || at.tag || 'master', revision: was['git'] == at.uri ? was['revision'] : nil }
    })
  when 'solve'
    if lock
      storage = ChefCLI::Policyfile::StorageConfig.new.use_policyfile(FILE)
      ChefCLI::PolicyfileLock.new(storage).build_from_lock_data(lock).install_cookbooks
    else
      compiler.install
      lock = compiler.lock.to_lock
    end
    # The state of the project's own repository is no part of the solution.
    lock['cookbook_locks'].each_value { |l| l['scm_info'] = nil if l.key?('scm_info') }
    puts JSON.generate(
      solution: JSON.pretty_generate(lock),
      cookbooks: lock['cookbook_locks'].sort.map { |name, l|
        it = { name: name, version: l['version'] }
        o = l['source_options'].transform_keys(&:to_s)
        if o['artifactserver'] then it.merge(url: o['artifactserver'])
        elsif o['git'] then it.merge(git: o['git'], commit: o['revision'], folder: o['rel'].to_s)
        elsif o['path'] then it.merge(path: File.expand_path(o['path'], File.dirname(FILE)))
        else fault 'input', "#{name} comes from #{o.keys.first}: cookbooks are taken from a supermarket, from git or from a path"
        end
      }
    )
  when 'vendor'
    service = ChefCLI::PolicyfileServices::ExportRepo.new(policyfile: LOCK, export_dir: destination, root_dir: File.dirname(LOCK))
    service.storage_config.relative_paths_root = File.dirname(FILE)
    service.run
    puts '{}'
  end
rescue CookbookOmnifetch::AbstractFunction
  # chef-cli 6 stumbles over its own message for a recipe that is in no cookbook.
  specs = compiler.all_cookbook_location_specs
  missing = compiler.expanded_run_list.map(&:name).reject { |name|
    cookbook, recipe = name.split('::')
    specs[cookbook]&.cookbook_has_recipe?(recipe || 'default')
  }
  fault 'input', "its run list names recipes that the cookbooks do not have: #{missing.join(', ')}"
rescue ChefCLI::PolicyfileError => e
  line = e.message[/^\\s*#{Regexp.escape(FILE)}:(\\d+)/, 1]
  said = e.message[/Exception: \\S+ "(.*)"$/, 1] || e.message[/syntax error.*/] || e.message
  fault 'input', said.sub(/ for (#<|an instance of).*/m, ''), line&.to_i
rescue Solve::Errors::NoSolutionError => e
  fault 'unsatisfiable', e.message
rescue SystemCallError, SocketError, Net::ProtocolError, Timeout::Error => e
  fault 'unreachable', e.message
rescue StandardError => e
  inner = e.respond_to?(:cause) && e.cause
  fault(what == 'vendor' ? 'stale' : 'unsatisfiable', inner ? "#{e.message}: #{inner.message}" : e.message)
end
`
