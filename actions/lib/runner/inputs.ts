import * as core from '@actions/core'
import type { InputDeclarations, InputValues } from '../stage/input.ts'
import { parseInputs } from '../stage/parse.ts'

/** The declared inputs as the workflow gave them; secret ones are masked before anything else happens. */
export function actionInputs<const I extends InputDeclarations>(declarations: I): InputValues<I> {
  for (const [name, { secret }] of Object.entries(declarations))
    if (secret && core.getInput(name) !== '') core.setSecret(core.getInput(name))
  return parseInputs(declarations, (name) => core.getInput(name))
}
