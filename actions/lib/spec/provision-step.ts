import { z } from 'zod'
import { chefSolo } from './chef-step.ts'
import { existing, existingApart } from './existing.ts'
import { count, list, matching, section, words, yesOrNo } from './section.ts'
import { guestPath, mode, nothing, stepOf } from './step.ts'

/** One way to say it, of several: what is given beside it is a fault. */
function exactlyOne(keys: readonly string[]) {
  return (given: object, context: z.core.$RefinementCtx) => {
    const said = keys.filter((key) => (given as Record<string, unknown>)[key] !== undefined)
    if (said.length !== 1)
      context.addIssue({
        code: 'custom',
        message: `give ${keys.length > 2 ? 'exactly ' : ''}one of ${keys.join(', ')}${said.length > 1 ? `, not ${said.join(' and ')}` : ''}`,
      })
  }
}

interface Shell {
  file?: string
  inline?: string
  interpreter?: string
}

/** Where a step waits: for one thing. */
export interface WaitFor {
  port?: number
  file?: string
  unit?: string
  console?: string
}

const kinds = (directory: string) => ({
  shell: z
    .union([
      existing(directory, 'a script').transform((file): Shell => ({ file })),
      section({
        file: existing(directory, 'a script').optional().describe('A script of the project'),
        inline: words('shell commands').optional().describe('Commands'),
        interpreter: words('a program, e.g. bash -e')
          .optional()
          .describe('What runs it, e.g. bash -e; by default the script’s own first line, or sh -e'),
      })
        .superRefine(exactlyOne(['file', 'inline']))
        .transform((given) => given as Shell),
    ])
    .describe('Runs a script of the project in the guest, or commands: { inline: … }'),
  upload: section({
    from: existingApart(directory, 'a file or folder', 'either').describe('A file or folder of the project'),
    to: guestPath().describe('The path it gets in the guest'),
    owner: words('a user').optional(),
    group: words('a group').optional(),
    mode: mode().optional().describe('Of the files, in quotes: "0644"'),
  }).describe('Copies a file or folder into the guest; only what it does not have yet'),
  download: section({
    from: guestPath().describe('A file or folder of the guest'),
    to: matching(
      /^(?!\/)(?!(.*\/)?\.\.?(\/|$))[^\0]+$/,
      'a path that begins in build/chef-provision/files/, such as licences.txt',
    ).describe('The path it gets under build/chef-provision/files/'),
  }).describe('Copies a file or folder out of the guest'),
  reboot: nothing('Restarts the guest and waits until it answers'),
  wait_for: section({
    port: count(1, 65_535).optional().describe('A TCP port of the guest that is listened at'),
    file: guestPath().optional().describe('A file or folder of the guest'),
    unit: words('a unit').optional().describe('A systemd unit that is active'),
    console: words('a text')
      .optional()
      .describe('A text on the guest’s screen, or in what its serial console said'),
  })
    .superRefine(exactlyOne(['port', 'file', 'unit', 'console']))
    .transform((given) => given as WaitFor)
    .describe('Waits for something, 5 min at most if timeout: says nothing else'),
  chef_solo: chefSolo(directory),
  capistrano: section({
    directory: existingApart(directory, 'a folder with a Capfile', 'folder').describe(
      'The folder of the Capfile',
    ),
    stage: matching(/^[\w-]+$/, 'a stage such as production').describe(
      'Capistrano’s stage: config/deploy/STAGE.rb',
    ),
    task: z
      .union([words('a task').transform((one) => [one]), list(words('a task'), 'a list of tasks')])
      .default(['deploy'])
      .describe('What is done, e.g. deploy, or several tasks in order'),
    gems: words('a gem source')
      .default('capistrano')
      .describe('The source of mirror.gem (for: host) that has Capistrano, by its name'),
    trace: yesOrNo().default(false).describe('Whether Capistrano shows where it came from when it fails'),
  })
    .transform(({ task: tasks, directory: folder, stage, gems, trace }) => ({
      directory: folder,
      deployStage: stage,
      tasks,
      gems,
      trace,
    }))
    .describe(
      'Deploys by your own Capfile, which runs on this computer and reaches nothing but guest and mirror',
    ),
})

/** Nothing of the user's runs in the guest. */
const nobody = { as: 'leave it out', env: 'leave it out' }

/** Steps of `provision:`. */
export const provisionStep = (directory: string) =>
  stepOf(kinds(directory), {
    settings: ['not', 'eventually', 'tags', 'save'],
    idle: {
      upload: { ...nobody, as: 'owner: says whose it becomes' },
      download: nobody,
      reboot: nobody,
      wait_for: nobody,
    },
  })

export type ProvisionStep = z.output<ReturnType<typeof provisionStep>>

/** A step of one kind. */
export type StepOf<K extends ProvisionStep['kind']> = Extract<ProvisionStep, { kind: K }>
