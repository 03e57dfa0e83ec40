import { choice, flag, type InputDeclaration, type InputDeclarations } from '../lib/stage/input.ts'
import { type StageName, stageNames } from '../lib/stage/stage.ts'
import { everywhere } from './project.ts'
import { stageNamed } from './stages.ts'

/** The five stages, and all of them as one action. */
export type ActionName = StageName | 'appliance'
export const actionNames: readonly ActionName[] = [...stageNames, 'appliance']

/** What an action promises in its `action.yml` and README; a test holds both to it. */
export interface Contract {
  readonly name: ActionName
  readonly description: string
  readonly inputs: InputDeclarations
  /** Output name → description. */
  readonly outputs: Readonly<Record<string, string>>
}

/** Inputs that only make sense in a workflow. */
const upload: InputDeclaration<boolean> = {
  ...flag('Upload the OVA as an artifact of the run'),
  default: 'true',
}

/** Everything an action takes and gives. */
export function contractOf(name: ActionName): Contract {
  if (name === 'appliance') return pipeline()
  const { description, inputs, outputs } = stageNamed(name)
  return {
    name,
    description,
    inputs: { ...everywhere, ...inputs, ...(name === 'ova-pack' ? { upload } : {}) },
    outputs,
  }
}

/** Which stage each output of the whole pipeline comes from; vm-validate's are those of its last run, on the OVA. */
export const pipelineOutputs = {
  lock: 'mirror-deps',
  'cache-hit': 'mirror-deps',
  'downloaded-bytes': 'mirror-deps',
  verdict: 'vm-validate',
  report: 'vm-validate',
  evidence: 'vm-validate',
  ova: 'ova-pack',
  'ova-sha256': 'ova-pack',
  files: 'ova-pack',
} as const satisfies Record<string, StageName>

function pipeline(): Contract {
  const verify = flag(
    'Read every byte of earlier results before calling them up to date, and prove the mirror',
  )
  const until = choice('Stop after this stage', [...stageNames].reverse() as [StageName, ...StageName[]])
  const outputs = Object.entries(pipelineOutputs).map(([output, stage]) => [
    output,
    `${stage}: ${stageNamed(stage).outputs[output]}`,
  ])
  return {
    name: 'appliance',
    description: 'Mirrors, builds, configures, validates and packs a virtual appliance: all five stages',
    inputs: { ...everywhere, until, verify, upload },
    outputs: Object.fromEntries(outputs) as Record<string, string>,
  }
}
