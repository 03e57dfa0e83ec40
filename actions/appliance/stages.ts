import { chefProvision } from '../chef-provision/stage.ts'
import type { Stage, StageName } from '../lib/stage/stage.ts'
import { mirrorDeps } from '../mirror-deps/stage.ts'
import { ovaPack } from '../ova-pack/stage.ts'
import { veeweeBasebox } from '../veewee-basebox/stage.ts'
import { vmValidate } from '../vm-validate/stage.ts'

/** The five, by name, in their order. */
export const stages = {
  'mirror-deps': mirrorDeps,
  'veewee-basebox': veeweeBasebox,
  'chef-provision': chefProvision,
  'vm-validate': vmValidate,
  'ova-pack': ovaPack,
} satisfies Record<StageName, unknown>

/** A stage by its name, its inputs' types forgotten. */
export function stageNamed(name: StageName): Stage {
  return stages[name] as unknown as Stage
}
