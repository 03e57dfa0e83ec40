import { z } from 'zod'
import { count, duration, list, oneOf, section, words } from './section.ts'
import { mode, stepOf } from './step.ts'

/** What an answer must be like. */
const expectation = section({
  status: count(100).optional(),
  headers: z.record(z.string(), z.coerce.string()).optional(),
  json: z.unknown().optional().describe('A part that the JSON answer must contain'),
  body: words('a regular expression').optional().describe('A regular expression the body must match'),
})

const request = z
  .union([
    words('a path').transform((path) => ({ path })),
    section({
      path: words('a path such as /health'),
      port: count(1).optional(),
      headers: z.record(z.string(), z.coerce.string()).optional(),
      json: z.unknown().optional(),
      body: z.string().optional(),
      form: z.record(z.string(), z.coerce.string()).optional(),
      expect: expectation.optional(),
    }),
  ])
  .transform((given) => given as Request)

export interface Request {
  path: string
  port?: number
  headers?: Record<string, string>
  json?: unknown
  body?: string
  form?: Record<string, string>
  expect?: { status?: number; headers?: Record<string, string>; json?: unknown; body?: string }
}

const nothing = z.undefined({ error: 'this step takes no argument' }).transform(() => ({}))

const kinds = {
  boot: nothing,
  rollback: nothing,
  run: z.union([
    words('a command').transform((command) => ({ command }) as Run),
    section({
      command: words('a command'),
      status: count(0).optional(),
      stdout: words('a regular expression').optional(),
      stderr: words('a regular expression').optional(),
      stdin: z.string().optional(),
    }).transform((given) => given as Run),
  ]),
  port: z.union([
    count(1).transform((port) => ({ port, state: 'open', protocol: 'tcp' }) as Port),
    section({
      port: count(1),
      state: oneOf(['open', 'closed']).default('open'),
      protocol: oneOf(['tcp', 'udp']).default('tcp'),
      within: duration('30 s').optional(),
    }).transform((given) => given as Port),
  ]),
  get: request,
  post: request,
  put: request,
  patch: request,
  delete: request,
  head: request,
  upload: section({
    from: words('a file: one downloaded in this scenario, or one of the project'),
    to: words('a path in the guest'),
    owner: words('a user').optional(),
    mode: mode().optional(),
  }).transform((given) => given as { from: string; to: string; owner?: string; mode?: number }),
  download: section({ from: words('a path in the guest'), to: words('a name in the scenario’s folder') }),
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

export const scenarioStep = stepOf(kinds, planned)
export type ScenarioStep = z.output<typeof scenarioStep>

/** A scenario file. */
export const scenarioFile = section({
  name: words('a name'),
  tags: list(words('a tag'), 'a list of tags').default([]),
  steps: list(scenarioStep, 'a list of steps').min(1, { error: 'a scenario needs at least one step' }),
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
