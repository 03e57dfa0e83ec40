import { sha256 } from '../../lib/files/digest.ts'
import type { ProvisionStep } from '../../lib/spec/spec.ts'
import type { Layer } from './layer.ts'

/** A step with everything it depends on. */
export interface PlannedStep {
  /** 1 for the first. */
  position: number
  title: string
  step: ProvisionStep
  dependsOn: Record<string, string>
  /** Digest over this and everything before it. */
  key: string
}

/** The steps in order, and the machine they begin with. */
export interface Plan {
  /** What the machine depends on before the first step. */
  base: { dependsOn: Record<string, string>; key: string }
  steps: readonly PlannedStep[]
}

/** Chains what each step depends on with what those before it do. */
export function planOf(
  base: Record<string, string>,
  steps: readonly Pick<PlannedStep, 'title' | 'step' | 'dependsOn'>[],
): Plan {
  const first = keyOf(undefined, base)
  let key = first
  return {
    base: { dependsOn: base, key: first },
    steps: steps.map((step, index) => {
      key = keyOf(key, step.dependsOn)
      return { ...step, position: index + 1, key }
    }),
  }
}

function keyOf(before: string | undefined, dependsOn: Record<string, string>): string {
  const sorted = Object.entries(dependsOn).sort(([a], [b]) => (a < b ? -1 : 1))
  return sha256(JSON.stringify([before ?? '', sorted]))
}

/** Key of a position; 0 is the machine before the first step. */
export function keyAt(plan: Plan, position: number): string {
  return position === 0 ? plan.base.key : plan.steps[position - 1]!.key
}

/** Where to go on: the layer of the last step that can be reused, at most `until`; undefined: from the beginning. */
export function resumePoint(plan: Plan, layers: readonly Layer[], until: number): Layer | undefined {
  for (let position = Math.min(until, plan.steps.length); position >= 0; position--) {
    const found = layers.find(({ key }) => key === keyAt(plan, position))
    if (found) return found
  }
  return undefined
}

/**
 * Why there is no layer of what comes first: which file or word is another one than when it last ran.
 *
 * @param layers those there are, the one used last first
 */
export function whyNot(plan: Plan, layers: readonly Layer[], position: number): string {
  const wanted = position === 0 ? plan.base : plan.steps[position - 1]!
  const after = position === 0 ? undefined : keyAt(plan, position - 1)
  const others = layers.filter((layer) => layer.position > 0 === position > 0 && layer.after === after)
  const title = position === 0 ? undefined : plan.steps[position - 1]!.title
  const before =
    others.find((layer) => layer.title === title) ?? others.find((layer) => layer.position === position)
  if (!before) return position === 0 ? 'nothing was kept of an earlier run' : 'it has not run here yet'
  const changed = differences(before.dependsOn, wanted.dependsOn)
  if (changed.length === 0) return 'its layer is not there any more'
  const shown = changed.slice(0, 3).join(', ')
  return changed.length > 3 ? `${shown} and ${changed.length - 3} more` : shown
}

/** `cookbooks/web/recipes/default.rb changed`, in order of names. */
export function differences(before: Record<string, string>, now: Record<string, string>): string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])].sort()
  return names.flatMap((name) => {
    if (before[name] === now[name]) return []
    return [
      before[name] === undefined
        ? `${name} is new`
        : now[name] === undefined
          ? `${name} is gone`
          : `${name} changed`,
    ]
  })
}
