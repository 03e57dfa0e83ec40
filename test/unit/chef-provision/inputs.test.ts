import { expect, test } from '@jest/globals'
import { keptFor } from '../../../actions/chef-provision/debugging.ts'
import { positionOf } from '../../../actions/chef-provision/from-step.ts'
import { packageSourcePath } from '../../../actions/chef-provision/package-sources.ts'
import { chefProvision } from '../../../actions/chef-provision/stage.ts'
import { stepTitles } from '../../../actions/chef-provision/steps/steps.ts'
import type { Project } from '../../../actions/lib/stage/stage.ts'

const steps = [
  { kind: 'reboot' },
  { kind: 'reboot' },
  { kind: 'shell', inline: 'x', name: 'prepare' },
] as const
const plan = stepTitles(steps)

test('--from-step takes a title, the number of a second one alike, or a position', () => {
  expect(positionOf(undefined, plan)).toBeUndefined()
  expect(positionOf('prepare', plan)).toBe(3)
  expect(positionOf('reboot (2)', plan)).toBe(2)
  expect(positionOf('1', plan)).toBe(1)
  expect(() => positionOf('prepar', plan)).toThrow(
    'there is no step prepar; did you mean prepare? (there are: 1 reboot, 2 reboot (2), 3 prepare)',
  )
  expect(() => positionOf('4', plan)).toThrow(/there is no step 4/)
})

test('a failed machine is kept as long as was asked for', () => {
  const kept = (keep: boolean, word?: string) => keptFor({ 'keep-on-failure': keep, 'debug-on-error': word })
  expect(kept(false)).toBeUndefined()
  expect(kept(true)).toBe(0)
  expect(kept(false, '30')).toBe(30 * 60_000)
  expect(kept(true, '90 s')).toBe(90_000)
  expect(() => kept(false, 'soon')).toThrow(/debug-on-error: expected minutes, such as 30/)
})

test('what cannot be meant is refused before anything is forgotten or begun', () => {
  const project = { spec: { provision: steps } } as unknown as Project
  const given = { 'keep-on-failure': false, 'no-layers': false }
  const refused = (more: { 'from-step'?: string; 'debug-on-error'?: string }) =>
    chefProvision.refuses!(
      { ...given, 'from-step': undefined, 'debug-on-error': undefined, ...more },
      project,
    ).map(({ message }) => message)
  expect(refused({})).toEqual([])
  expect(refused({ 'from-step': 'prepare', 'debug-on-error': '30' })).toEqual([])
  expect(refused({ 'from-step': 'prepar', 'debug-on-error': 'soon' })).toEqual([
    'there is no step prepar; did you mean prepare? (there are: 1 reboot, 2 reboot (2), 3 prepare)',
    'debug-on-error: expected minutes, such as 30, or a time such as 90 min; got "soon"',
  ])
})

test('the vendor’s package sources go where apt and dnf look for them', () => {
  const places = (...names: string[]) => names.map((name) => packageSourcePath(name, names))
  expect(places('vendor.sources', 'vendor.list', 'vendor.asc')).toEqual([
    '/etc/apt/sources.list.d/vendor.sources',
    '/etc/apt/sources.list.d/vendor.list',
    '/etc/apt/keyrings/vendor.asc',
  ])
  expect(places('vendor.repo', 'vendor.asc', 'RPM-GPG-KEY-vendor')).toEqual([
    '/etc/yum.repos.d/vendor.repo',
    '/etc/pki/rpm-gpg/vendor.asc',
    '/etc/pki/rpm-gpg/RPM-GPG-KEY-vendor',
  ])
})
