import { z } from 'zod'
import { count, duration, expected, list, mapOf, oneOf, section, text, words } from './section.ts'
import { guestPath, mode, nothing, stepOf } from './step.ts'

/** Whether it is one, vm-validate says, together with what else only the engine can know (vm-validate/faults). */
const pattern = () => words('a regular expression')

const headers = () => mapOf(text('a value'), 'a map from headers to values').optional()
const port = () => count(1, 65_535)

/** What an answer must be like. */
const expectation = section({
  status: count(100, 599).optional().describe('By default any of 200 to 299'),
  headers: headers().describe('Each header must contain what is given here'),
  json: z.unknown().optional().describe('A part that the JSON answer must contain'),
  body: pattern().optional().describe('A regular expression the body must match'),
})

const request = z
  .union([
    words('a path such as /health').transform((path) => ({ path })),
    section({
      path: words('a path such as /health').describe('E.g. /health'),
      port: port().optional().describe('By default 80'),
      headers: headers(),
      json: z.unknown().optional().describe('Sent as JSON'),
      body: z
        .string({ error: expected('text') })
        .optional()
        .describe('Sent as it is'),
      form: mapOf(text('a value'), 'a map from fields to values').optional().describe('Sent as a form'),
      expect: expectation.optional().describe('What the answer must be like'),
    }).superRefine(({ json, body, form }, context) => {
      const given = Object.entries({ json, body, form }).flatMap(([key, value]) =>
        value === undefined ? [] : [key],
      )
      if (given.length > 1)
        context.addIssue({
          code: 'custom',
          message: `a request has one body, this one has ${given.join(' and ')}`,
        })
    }),
  ])
  .transform((given) => given as Request)
  .describe('Asks the guest’s web server')

export interface Request {
  path: string
  port?: number
  headers?: Record<string, string>
  json?: unknown
  body?: string
  form?: Record<string, string>
  expect?: { status?: number; headers?: Record<string, string>; json?: unknown; body?: string }
}

const kinds = {
  boot: nothing('Boots the machine, or goes on with it when it runs'),
  rollback: nothing('Takes the machine back to how it was at the beginning'),
  run: z
    .union([
      words('a command').transform((command) => ({ command }) as Run),
      section({
        command: words('a command'),
        status: count(0, 255).optional().describe('Expected exit status, by default 0'),
        stdout: pattern().optional().describe('A regular expression that its output must match'),
        stderr: pattern().optional().describe('A regular expression that its messages must match'),
        stdin: z
          .string({ error: expected('text') })
          .optional()
          .describe('What it reads'),
      }).transform((given) => given as Run),
    ])
    .describe('Runs a shell command in the guest'),
  port: z
    .union([
      port().transform((port) => ({ port, state: 'open', protocol: 'tcp' }) as Port),
      section({
        port: port(),
        state: oneOf(['open', 'closed']).default('open'),
        protocol: oneOf(['tcp', 'udp']).default('tcp'),
        within: duration('30 s').optional().describe('Tried again for so long, e.g. 30 s'),
      }).transform((given) => given as Port),
    ])
    .describe('Looks whether a port is open, or closed, from outside'),
  get: request,
  post: request,
  put: request,
  patch: request,
  delete: request,
  head: request,
  upload: section({
    from: words('a file: one downloaded in this scenario, or one of the project'),
    to: guestPath(),
    owner: words('a user').optional(),
    mode: mode().optional().describe('In quotes: "0644"'),
  })
    .transform((given) => given as { from: string; to: string; owner?: string; mode?: number })
    .describe('Copies a file downloaded before, or one of the project, into the guest'),
  download: section({
    from: guestPath(),
    to: words('a name in the scenario’s folder'),
  }).describe('Copies a file out of the guest, for later steps'),
}

export interface Run {
  command: string
  /** Expected exit status, 0 by default. */
  status?: number
  /** Regular expressions. */
  stdout?: string
  stderr?: string
  stdin?: string
}

export interface Port {
  port: number
  state: 'open' | 'closed'
  protocol: 'tcp' | 'udp'
  /** Milliseconds. */
  within?: number
}

const planned = [
  ...[
    'reboot',
    'power_off',
    'power_cut',
    'console',
    'service',
    'process',
    'file',
    'package',
    'user',
    'listening',
    'cron',
  ],
  ...['timer', 'journal', 'snapshot', 'time', 'network', 'disk', 'memory', 'repeat', 'parallel'],
]

export const scenarioStep = stepOf(kinds, { kinds: planned })
export type ScenarioStep = z.output<typeof scenarioStep>

/** A scenario file. */
export const scenarioFile = section({
  name: words('a name').describe('A sentence that is true of the appliance'),
  tags: list(words('a tag'), 'a list of tags').default([]).describe('smoke: also run on the packed OVA'),
  steps: list(scenarioStep, 'a list of steps')
    .min(1, { error: 'a scenario needs at least one step' })
    .describe('What is done and looked at, in order'),
})

export interface Scenario {
  name: string
  tags: string[]
  steps: ScenarioStep[]
  /** Relative to the spec's folder. */
  file: string
  /** 1-based line of each step. */
  lines: number[]
}
