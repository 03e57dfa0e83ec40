import { z } from 'zod'
import { parseDuration } from '../../units/duration.ts'
import { count, expected, list, matching, oneOf, section, words, yesOrNo } from '../section.ts'
import { guestPath, mode } from '../step.ts'
import { pattern } from './words.ts'

/** A bare word for the one key that matters, or a map. */
function orBare<K extends string, T extends object>(key: K, what: string, full: z.ZodType<T>) {
  return z.union([words(what).transform((word) => ({ [key]: word }) as unknown as T), full])
}

export interface Unit {
  unit: string
  state?: 'active' | 'inactive' | 'failed'
  enabled?: boolean
}
export const service = orBare(
  'unit',
  'a unit such as nginx',
  section({
    unit: words('a unit such as nginx'),
    state: oneOf(['active', 'inactive', 'failed']).optional().describe('By default active'),
    enabled: yesOrNo().optional().describe('Whether it starts when the machine does'),
  }).transform((given) => given as Unit),
).describe('Looks at a unit of systemd')

export interface Process {
  program: string
  user?: string
  count?: number
}
export const process = orBare(
  'program',
  'a program such as nginx',
  section({
    program: words('a program such as nginx').describe('Its name, or a part of its command line'),
    user: words('a user').optional().describe('Counts only those of this user'),
    count: count(0).optional().describe('How many, exactly; by default one or more'),
  }).transform((given) => given as Process),
).describe('Looks whether a program runs')

export interface FileLook {
  path: string
  exists?: boolean
  type?: 'file' | 'folder' | 'link' | 'socket'
  mode?: number
  owner?: string
  group?: string
  contains?: string
  sha256?: string
}
export const file = z
  .union([
    guestPath().transform((path) => ({ path }) as FileLook),
    section({
      path: guestPath(),
      exists: yesOrNo().optional().describe('false: there must be no such file'),
      type: oneOf(['file', 'folder', 'link', 'socket']).optional(),
      mode: mode().optional().describe('In quotes: "0640"'),
      owner: words('a user').optional(),
      group: words('a group').optional(),
      contains: pattern().optional().describe('A regular expression that its text must match'),
      sha256: matching(/^([0-9a-f]{64}|\{\{.*\}\})$/, 'a SHA-256 in lower-case hex').optional(),
    }).transform((given) => given as FileLook),
  ])
  .describe('Looks at a file of the guest')

export interface PackageLook {
  package: string
  version?: string
  installed?: boolean
}
export const packageLook = orBare(
  'package',
  'a package such as nginx-light',
  section({
    package: words('a package such as nginx-light'),
    version: pattern().optional().describe('A regular expression that its version must match'),
    installed: yesOrNo().optional().describe('false: it must not be installed'),
  }).transform((given) => given as PackageLook),
).describe('Looks whether a package is installed (dpkg or rpm)')

export interface UserLook {
  user: string
  exists?: boolean
  uid?: number
  shell?: string
  home?: string
  groups?: string[]
  password?: 'set' | 'locked'
}
export const user = orBare(
  'user',
  'a user',
  section({
    user: words('a user'),
    exists: yesOrNo().optional().describe('false: there must be no such user'),
    uid: count(0).optional(),
    shell: words('a shell').optional(),
    home: words('a folder').optional(),
    groups: list(words('a group'), 'a list of groups').optional().describe('The user is at least in these'),
    password: oneOf(['set', 'locked']).optional().describe('Whether a password lets the user in'),
  }).transform((given) => given as UserLook),
).describe('Looks at an account of the guest')

export interface Listening {
  port: number
  protocol: 'tcp' | 'udp'
  address?: string
  program?: string
}
export const listening = z
  .union([
    count(1, 65_535).transform((port) => ({ port, protocol: 'tcp' }) as Listening),
    section({
      port: count(1, 65_535),
      protocol: oneOf(['tcp', 'udp']).default('tcp'),
      address: words('an address').optional().describe('The one it listens on, e.g. 127.0.0.1'),
      program: words('a program').optional().describe('Whose socket it is'),
    }).transform((given) => given as Listening),
  ])
  .describe('Looks whether something listens, as the guest itself sees it; port looks from outside')

export interface Cron {
  command: string
  owner?: string
  run?: boolean
}
export const cron = z
  .union([
    pattern().transform((command) => ({ command }) as Cron),
    section({
      command: pattern().describe('A regular expression that the command must match'),
      owner: words('a user').optional().describe('As whom cron runs it'),
      run: yesOrNo()
        .optional()
        .describe('Runs it now, as cron would: with its user, shell and small environment'),
    }).transform((given) => given as Cron),
  ])
  .describe('Looks for an entry of cron')

export interface Timer {
  timer: string
  run?: boolean
}
export const timer = orBare(
  'timer',
  'a timer such as logrotate',
  section({
    timer: words('a timer such as logrotate'),
    run: yesOrNo().optional().describe('Runs what it starts now, and waits for its end'),
  }).transform((given) => given as Timer),
).describe('Looks whether a timer of systemd is set')

const sinceError = expected('boot, scenario, or a time such as 10 min')

export interface Journal {
  unit?: string
  priority?: 'crit' | 'err' | 'warning' | 'info'
  /** `boot`, `scenario`, or milliseconds ago. */
  since?: 'boot' | 'scenario' | number
  has?: string
  lacks?: string
  allow?: string[]
}
export const journal = section({
  unit: words('a unit').optional().describe('Only what this unit said'),
  priority: oneOf(['crit', 'err', 'warning', 'info'])
    .optional()
    .describe('Entries as grave as this, or graver; by default err, with has or lacks info'),
  since: z
    .string({ error: sinceError })
    .transform((text, context) => {
      if (text === 'boot' || text === 'scenario') return text
      const ms = parseDuration(text)
      if (ms === undefined) context.addIssue({ code: 'custom', message: sinceError({ input: text }) })
      return ms ?? 'boot'
    })
    .optional()
    .describe('By default scenario: since it began'),
  has: pattern().optional().describe('A regular expression that some entry must match'),
  lacks: pattern().optional().describe('A regular expression that no entry may match'),
  allow: list(pattern(), 'a list of regular expressions')
    .optional()
    .describe('Entries that match one of these do not count'),
})
  .transform((given) => given as Journal)
  .describe('Looks through the journal; by default there must be no errors')
