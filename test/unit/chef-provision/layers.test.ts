import { expect, test } from '@jest/globals'
import type { Layer } from '../../../actions/chef-provision/layers/layer.ts'
import {
  differences,
  keyAt,
  type Plan,
  planOf,
  resumePoint,
  whyNot,
} from '../../../actions/chef-provision/layers/plan.ts'
import { type Kept, pruning } from '../../../actions/chef-provision/layers/pruning.ts'

const step = { kind: 'reboot' } as const
const plan = (...contents: string[]): Plan =>
  planOf(
    { basebox: contents[0]! },
    contents.slice(1).map((content, index) => ({
      title: `step ${index + 1}`,
      step,
      dependsOn: { [`file-${index + 1}`]: content, same: 'x' },
    })),
  )
const layersOf = (made: Plan): Layer[] =>
  [0, ...made.steps.map(({ position }) => position)].map((position) => ({
    schema: 1,
    key: keyAt(made, position),
    position,
    title: position === 0 ? 'booted' : made.steps[position - 1]!.title,
    dependsOn: position === 0 ? made.base.dependsOn : made.steps[position - 1]!.dependsOn,
    ...(position > 0 ? { after: keyAt(made, position - 1), parent: keyAt(made, position - 1) } : {}),
  }))

test('a changed step goes on from the last one before it, and says which file it was', () => {
  const layers = layersOf(plan('base', 'a', 'b', 'c'))
  const now = plan('base', 'a', 'B', 'c')
  expect(resumePoint(now, layers, 3)?.position).toBe(1)
  expect(whyNot(now, layers, 2)).toBe('file-2 changed')
  // What comes after it is another course, although its own files are the same.
  expect(layers.map(({ key }) => key)).not.toContain(keyAt(now, 3))
})

test('another base begins at the beginning; a course already gone is gone on with at its end', () => {
  const layers = layersOf(plan('base', 'a', 'b'))
  expect(resumePoint(plan('other', 'a', 'b'), layers, 2)).toBeUndefined()
  expect(whyNot(plan('other', 'a', 'b'), layers, 0)).toBe('basebox changed')
  expect(resumePoint(plan('base', 'a', 'b'), layers, 2)?.position).toBe(2)
  expect(resumePoint(plan('base', 'a', 'b'), layers, 0)?.position).toBe(0)
  expect(resumePoint(plan('base', 'a', 'b', 'new'), layers, 3)?.position).toBe(2)
  expect(whyNot(plan('base', 'a', 'b', 'new'), layers, 3)).toBe('it has not run here yet')
})

test('a layer in the middle that was merged away hides none of the later ones', () => {
  const now = plan('base', 'a', 'b', 'c')
  const layers = layersOf(now).filter(({ position }) => position === 3)
  expect(resumePoint(now, layers, 3)?.position).toBe(3)
  expect(resumePoint(now, layers, 2)).toBeUndefined()
})

test('files that came, went and changed are told by name', () => {
  expect(differences({ a: '1', b: '1', c: '1' }, { a: '2', c: '1', d: '1' })).toEqual([
    'a changed',
    'b is gone',
    'd is new',
  ])
})

const kept = (layers: readonly Layer[], disk = 10, memory = 100): Kept[] =>
  layers.map((layer) => ({ layer, size: { disk, memory } }))
const courseOf = (made: Plan) => [0, ...made.steps.map(({ position }) => position)].map((p) => keyAt(made, p))

test('old courses go first, from their ends, and only as far as they must', () => {
  const old = plan('base', 'a', 'b', 'c')
  const now = plan('base', 'a', 'B', 'C')
  const all = [...layersOf(old), ...layersOf(now).slice(2)] // the first two are the same
  const course = courseOf(now)
  expect(pruning(kept(all), course, { layers: 6, size: 1e6 })).toEqual([])
  expect(pruning(kept(all), course, { layers: 5, size: 1e6 })).toEqual([{ remove: keyAt(old, 3) }])
  expect(pruning(kept(all), course, { layers: 4, size: 1e6 })).toEqual([
    { remove: keyAt(old, 3) },
    { remove: keyAt(old, 2) },
  ])
})

test('of the present course the earliest layers are merged into those over them', () => {
  const now = plan('base', 'a', 'b', 'c')
  expect(pruning(kept(layersOf(now)), courseOf(now), { layers: 2, size: 1e6 })).toEqual([
    { merge: keyAt(now, 0), into: keyAt(now, 1) },
    { merge: keyAt(now, 1), into: keyAt(now, 2) },
  ])
})

test('where room is short, memories go before layers, and the latest layers last of all', () => {
  const now = plan('base', 'a', 'b')
  const course = courseOf(now)
  expect(pruning(kept(layersOf(now)), course, { layers: 5, size: 230 })).toEqual([{ forget: keyAt(now, 0) }])
  expect(pruning(kept(layersOf(now)), course, { layers: 5, size: 25 })).toEqual([
    { forget: keyAt(now, 0) },
    { forget: keyAt(now, 1) },
    { forget: keyAt(now, 2) },
    { remove: keyAt(now, 2) },
  ])
  expect(pruning(kept(layersOf(now)), course, { layers: 0, size: 1e6 })).toEqual([
    { merge: keyAt(now, 0), into: keyAt(now, 1) },
    { merge: keyAt(now, 1), into: keyAt(now, 2) },
    { remove: keyAt(now, 2) },
  ])
})
