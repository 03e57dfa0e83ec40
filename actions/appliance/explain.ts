import { explain, explainJson } from '../lib/definition/explain.ts'
import { ApplianceError } from '../lib/errors/error.ts'
import { showFault } from '../lib/errors/fault.ts'
import { definitionOf } from '../lib/spec/machine.ts'
import type { Project } from '../lib/stage/stage.ts'
import type { Door } from './inside.ts'

/**
 * `appliance veewee-basebox --explain`: the definition as it was understood, on standard output; with `--json` the
 * declared keys and values as VeeWee got them.
 */
export function explainDefinition({ spec, directory }: Project, { log, entry }: Door): void {
  const definition = definitionOf(spec.basebox, directory)
  if (!definition)
    throw new ApplianceError('input', 'there is no definition to explain: basebox.definition names one', {
      hint: 'Write `basebox: { definition: FOLDER }`, the folder of a definition.rb.',
    })
  if (entry.includes('--json')) {
    console.log(JSON.stringify(explainJson(definition), null, 2))
    return
  }
  for (const warning of definition.warnings) log.warn(showFault(warning))
  console.log(explain(definition, spec.basebox.strategy).trimEnd())
}
