import { expect, test } from '@jest/globals'
import { lackingPackage, whereToAdd } from '../../../actions/chef-provision/steps/diagnosis.ts'

test.each([
  [
    'apt_package[tree] install: Chef::Exceptions::Package: No candidate version available for tree',
    'deb',
    'tree',
  ],
  ['x failed (100); it last said: E: Unable to locate package libfoo++-dev', 'deb', 'libfoo++-dev'],
  ["E: Package 'nodejs' has no installation candidate", 'deb', 'nodejs'],
  ['No match for argument: tomcat | Error: Unable to find a match: tomcat', 'rpm', 'tomcat'],
  ["ERROR:  Could not find a valid gem 'rake' (>= 0) in any repository", 'gem', 'rake'],
  ["Could not find gem 'puma (~> 6.0)' in rubygems repository", 'gem', 'puma'],
])('a package that is not in the mirror is recognised: %s', (message, kind, name) => {
  expect(lackingPackage(message)).toEqual({ kind, name })
})

const spec = `name: x
mirror:
  deb:
    - name: debian
      packages: [nginx]
  gem:
    - { name: chef, gems: { chef-bin: "*" }, for: tools }
    - { name: app, gemfile: app/Gemfile }
`

test('and the line of the spec that would bring it in is named', () => {
  expect(whereToAdd({ kind: 'deb', name: 'tree' }, spec, 'appliance.yml')).toBe(
    'The mirror does not have tree: add it to packages: of debian (appliance.yml:5).',
  )
  expect(whereToAdd({ kind: 'gem', name: 'rake' }, spec, 'appliance.yml')).toBe(
    'The mirror does not have rake: add it to its Gemfile, app/Gemfile of app (appliance.yml:8).',
  )
  expect(whereToAdd({ kind: 'rpm', name: 'tomcat' }, spec, 'appliance.yml')).toBe(
    'The mirror does not have tomcat: write a source for it under mirror.rpm in appliance.yml.',
  )
})

test('other failures are not taken for that', () => {
  expect(lackingPackage('make failed (2): no rule to make target')).toBeUndefined()
})
