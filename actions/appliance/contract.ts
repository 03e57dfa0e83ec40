import { choice, flag, type InputDeclaration, type InputDeclarations, text } from '../lib/stage/input.ts'
import { type StageName, stageNames } from '../lib/stage/stage.ts'
import { publishInputs, publishOutputs } from '../publish/publish.ts'
import { everywhere } from './project.ts'
import { stageNamed } from './stages.ts'

/** The five stages, all of them as one action, and what a workflow needs around them. */
export type ActionName = StageName | 'appliance' | 'plan' | 'publish'
export const actionNames: readonly ActionName[] = [...stageNames, 'appliance', 'plan', 'publish']

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

const { token } = publishInputs

/** How a fleet's jobs hand on what they make. */
const carrying = {
  carry: text(
    'How results travel between jobs and runs: artifact, or a folder that all runners share (default: not at all)',
    // A misspelt word would be a folder that no other runner has.
    {
      like: {
        pattern: /^(artifact$|\/)/,
        words: 'artifact, or the absolute path of a folder that all runners share',
      },
    },
  ),
  token: { ...token, description: 'Token to look at the artifacts of earlier runs with (actions: read)' },
}

const releasing = {
  'from-release': flag(
    'Take what the mirror lacks from the archive of the repository’s last release, before upstream is asked',
  ),
  token: { ...token, description: 'Token to read the last release with (contents: read)' },
}

/** Everything an action takes and gives. */
export function contractOf(name: ActionName): Contract {
  switch (name) {
    case 'appliance':
      return pipeline()
    case 'plan':
      return plan
    case 'publish':
      return {
        name,
        description: 'Publishes what was built as a GitHub release: draft, upload, verify, publish',
        inputs: { ...everywhere, ...publishInputs },
        outputs: publishOutputs,
      }
    default: {
      const { description, inputs, outputs } = stageNamed(name)
      const more = name === 'mirror-deps' ? releasing : carrying
      return {
        name,
        description,
        inputs: { ...everywhere, ...inputs, ...(name === 'ova-pack' ? { upload } : {}), ...more },
        outputs,
      }
    }
  }
}

const plan: Contract = {
  name: 'plan',
  description:
    'Says which stages have to work, before a runner is asked for: the others were done for this very input',
  inputs: { ...everywhere, carry: { ...carrying.carry, default: 'artifact' }, token: carrying.token },
  outputs: {
    stages: 'The stages that have to work, as a JSON list, in order; [] when everything is up to date',
  },
}

/** Which stage each output of the whole pipeline comes from; vm-validate's are those of its last run, on the OVA. */
export const pipelineOutputs = {
  mirror: 'mirror-deps',
  lock: 'mirror-deps',
  'cache-hit': 'mirror-deps',
  'downloaded-bytes': 'mirror-deps',
  box: 'veewee-basebox',
  disk: 'chef-provision',
  verdict: 'vm-validate',
  report: 'vm-validate',
  page: 'vm-validate',
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
  const debug = text('Leave the machine running for so many minutes when a provisioning step fails')
  const outputs = Object.entries(pipelineOutputs).map(([output, stage]) => [
    output,
    `${stage}: ${stageNamed(stage).outputs[output]}`,
  ])
  return {
    name: 'appliance',
    description: 'Mirrors, builds, configures, validates and packs a virtual appliance: all five stages',
    inputs: { ...everywhere, until, verify, 'debug-on-error': debug, upload, ...releasing },
    outputs: Object.fromEntries(outputs) as Record<string, string>,
  }
}
