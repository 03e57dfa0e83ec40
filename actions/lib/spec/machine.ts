import { type Definition, readDefinition } from '../definition/definition.ts'
import { parseSize } from '../units/size.ts'
import { hardwareOfBuild } from './basebox.ts'
import { usualBootstrap } from './bootstrap.ts'
import type { Spec, WrittenSpec } from './spec.ts'

/** What the machine is built with; memory and disk in bytes. */
export interface Machine {
  cpus: number
  memory: number
  disk: number
}

/** What a definition is read by: where it lies, and what of it counts. */
type Defined = Pick<WrittenSpec['basebox'], 'definition' | 'strategy'>

/**
 * The definition that the base machine is made by, if it is; its faults name files relative to `directory`, the
 * spec's, outside of which nothing is read.
 */
export function definitionOf({ definition, strategy }: Defined, directory: string): Definition | undefined {
  if (definition === undefined) return undefined
  return readDefinition(definition, {
    workingDirectory: directory,
    environment: process.env,
    strategy: strategy ?? 'install',
  })
}

/** The spec with its machine: what it says itself, or its definition, or what is usual. */
export function withMachine(spec: WrittenSpec, definition: Definition | undefined): Spec {
  const { basebox } = spec
  const { cpus, memory, disk } = machineOf(definition)
  const machine = {
    cpus: basebox.cpus ?? cpus,
    memory: basebox.memory ?? memory,
    disk: basebox.disk ?? disk,
  }
  return { ...spec, basebox: { ...basebox, ...bootstrapped(basebox, definition), ...machine } }
}

/** What a base machine has where the spec says nothing. */
export function machineOf(definition: Definition | undefined): Machine {
  const recipe = definition?.recipe
  if (recipe) return { cpus: recipe.cpus, memory: recipe.memory, disk: recipe.disks.size }
  const { cpus, memory, disk } = hardwareOfBuild
  return { cpus, memory: parseSize(memory)!, disk: parseSize(disk)! }
}

/**
 * A definition may be made without its installer and without a word on how. Whoever is its user becomes root by sudo,
 * which a minimal machine lacks.
 */
function bootstrapped(
  { strategy, bootstrap }: WrittenSpec['basebox'],
  definition: Definition | undefined,
): Pick<WrittenSpec['basebox'], 'bootstrap'> {
  if (strategy !== 'bootstrap') return {}
  const how = bootstrap ?? usualBootstrap()
  const user = definition?.recipe?.ssh.user
  const sudo = user === undefined || user === 'root' ? [] : ['sudo']
  return { bootstrap: { ...how, packages: [...new Set([...how.packages, ...sudo])] } }
}
