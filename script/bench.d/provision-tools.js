import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { figure, table, timed } from './figures.js'

/**
 * Chef for a guest, from the mirror, in both ways: on the tools disk, made from nothing, and by `gem install` in the
 * guest, which has Ruby and a compiler already. Takes half an hour on two emulated cores.
 *
 * @param example a built example's folder; what its mirror has is not fetched again
 */
export function toolsDiskAgainstGemInstall(example) {
  const folder = mkdtempSync('/var/tmp/appliance-bench-')
  const appliance = (...args) =>
    timed(process.execPath, ['dist/cli/index.js', ...args, '--working-directory', folder])
  try {
    mkdirSync(join(folder, 'cookbooks/try/recipes'), { recursive: true })
    writeFileSync(join(folder, 'cookbooks/try/metadata.rb'), "name 'try'\n")
    writeFileSync(join(folder, 'cookbooks/try/recipes/default.rb'), "file '/etc/converged'\n")
    writeFileSync(join(folder, 'appliance.yml'), specOf(resolve(example, 'appliance.yml')))
    appliance('build', '--until', 'veewee-basebox')
    rmSync(join(folder, 'build/tools'), { recursive: true, force: true })
    appliance('chef-provision', '--no-layers')
    const { parts } = JSON.parse(readFileSync(join(folder, 'build/chef-provision/timings.json'), 'utf8'))
    const { steps } = JSON.parse(readFileSync(join(folder, 'build/chef-provision/report.json'), 'utf8'))
    const seconds = (name) => (parts[name] ?? 0) / 1000
    // The root is made before, for the check of the recipes' syntax; the disk from it.
    const disk = seconds('tools root') + seconds('Chef') + seconds('tools disk')
    const install = steps.find(({ title }) => title.includes('gem install')).milliseconds / 1000
    const converge = steps.find(({ kind }) => kind === 'chef_solo').milliseconds / 1000
    table([
      ['Chef for a guest', 'seconds'],
      ['the tools disk, from nothing', disk.toFixed(0)],
      ['of which unpacking the tools root', seconds('tools root').toFixed(0)],
      ['of which its gems', seconds('Chef').toFixed(0)],
      ['gem install in the guest', install.toFixed(0)],
      ['one run of Chef from the tools disk', converge.toFixed(0)],
    ])
    figure('provision.tools-disk-vs-gem-install', install / disk, 'x', '≥ 5')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The example's Debian and Chef; the guest has what building gems takes. */
function specOf(example) {
  const text = readFileSync(example, 'utf8')
  const part = (from, to) => text.slice(text.indexOf(from), text.indexOf(to))
  const packages = [
    'g++',
    'gcc',
    'libffi-dev',
    'libyaml-dev',
    'make',
    'ruby',
    'ruby-bundler',
    'ruby-dev',
    'zlib1g-dev',
  ]
  return [
    'name: tools-disk\nversion: 1.0.0\n',
    part('mirror:\n', '  gem:\n').replace(/packages: \[[^\]]*\]/, `packages: [${packages.join(', ')}]`),
    '  gem:\n',
    '    - { name: chef, gems: { chef-bin: "~> 18.4" }, for: tools }\n',
    '    - { name: guest, gems: { chef-bin: "~> 18.4" }, platforms: [ruby] }\n',
    `basebox: { bootstrap: { suite: bookworm, packages: [${packages.join(', ')}] } }\n`,
    'chef: { license: accept }\n',
    'provision:\n',
    '  - chef_solo: { cookbooks: cookbooks, run_list: ["recipe[try]"] }\n',
    '  - shell: { inline: "gem install --no-document chef-bin && rm -r /var/lib/gems/* /usr/local/bin/*" }\n',
    '    name: gem install in the guest\n',
    '    timeout: 2 h\n',
    '    env: { MAKEFLAGS: -j2 }\n',
  ].join('')
}
