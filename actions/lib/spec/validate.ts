import { z } from 'zod'
import { nearest } from '../errors/nearest.ts'
import { existing } from './existing.ts'
import {
  count,
  duration,
  expected,
  list,
  mapOf,
  matching,
  oneOf,
  section,
  size,
  text,
  words,
} from './section.ts'

/** What every appliance is looked at for, unless the spec says why not: name → what must be so. */
export const builtInChecks = {
  'failed-units': 'no unit has failed',
  ports: 'it offers the declared ports, and no other',
  accounts: 'nobody can log in but who is declared',
  'log-rotation': 'what grows under /var/log is rotated',
  'disk-use': 'its disk is not too full',
  'memory-use': 'its memory is not too full',
  'first-answer': 'it answers soon after it is switched on',
  reboot: 'it restarts clean',
  'power-cut': 'it survives a power cut while it writes',
  identity: 'machine-id and host keys are made anew with every import',
  secrets: 'no key, password or token of the build is anywhere on its disk',
  sealed: 'nothing of the build is left',
} as const

export type CheckName = keyof typeof builtInChecks
export const checkNames = Object.keys(builtInChecks) as CheckName[]

const ports = list(
  matching(
    /^([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])\/(tcp|udp)$/,
    'a port such as 80/tcp',
  ),
  'a list of ports such as 80/tcp',
)

const without = mapOf(words('the reason why'), 'a map from checks to reasons')
  .superRefine((given, context) => {
    for (const name of Object.keys(given)) {
      if (Object.hasOwn(builtInChecks, name)) continue
      const near = nearest(name, checkNames)
      context.addIssue({
        code: 'custom',
        path: [name],
        message: `there is no such check${near ? `; did you mean ${near}?` : ''} There are ${checkNames.join(', ')}`,
      })
    }
  })
  .transform((given) => given as Partial<Record<CheckName, string>>)

const suite = (directory: string) =>
  section({
    name: words('a name').describe('What it is called in reports'),
    run: words('a command').describe('E.g. rspec, pytest, npx jest; run on this computer, by /bin/sh'),
    directory: existing(directory, 'a folder', 'folder')
      .optional()
      .describe(
        'Where it is run, and what it is made of: a change below it runs it again; by default all of this folder',
      ),
    reports: words('a path such as reports/*.xml')
      .optional()
      .describe('JUnit files that it writes, below its folder; those in $APPLIANCE_REPORTS are found anyway'),
    env: mapOf(text('a value'), 'a map from variables to values').default({}),
    timeout: duration('30 min').prefault('30 min').describe('How long it may take'),
    tags: list(words('a tag'), 'a list of tags').default([]).describe('smoke: also run on the packed OVA'),
  })

/** The hardware that customers have, and in what combinations it is tried. */
const matrix = section({
  combine: oneOf(['pairwise', 'all', 'each'])
    .default('pairwise')
    .describe('pairwise: every two values meet once; each: every value once; all: every combination'),
  firmware: list(oneOf(['bios', 'uefi'])).optional(),
  controller: list(oneOf(['virtio', 'ide', 'ahci', 'lsi', 'pvscsi', 'nvme'])).optional(),
  nic: list(oneOf(['virtio', 'e1000', 'e1000e', 'vmxnet3', 'pcnet'])).optional(),
  nics: list(count(0, 4)).optional().describe('How many network cards; 0: no network at all'),
  cpus: list(count(1, 64)).optional(),
  memory: list(size('1 GiB')).optional(),
  clock: list(matching(/^\d{4}-\d\d-\d\d$/, 'a date such as 2031-01-01')).optional(),
  enlarge: list(size('30 GiB')).optional().describe('The disk as large as this'),
  scenarios: list(words('the name of a scenario'))
    .default([])
    .describe('Run on each; by default the built-in look alone'),
})

export type Matrix = z.output<typeof matrix>

/** What the appliance must do before it is packed. */
export const validate = (directory: string) =>
  section({
    scenarios: existing(directory, 'a folder of scenarios', 'folder')
      .optional()
      .describe('A folder of scenario files, *.yml'),
    listens: ports.optional().describe('Every port the appliance may answer at; a further one is a failure'),
    suites: list(suite(directory), 'a list of suites')
      .default([])
      .superRefine((suites, context) => {
        for (const [index, { name }] of suites.entries())
          if (suites.findIndex((one) => one.name === name) < index)
            context.addIssue({ code: 'custom', path: [index, 'name'], message: `${name} is there twice` })
      })
      .describe('Your own tests, with the machine in reach: RSpec, pytest, jest, bats …'),
    without: without
      .default({})
      .describe(`Checks that are left out, each with the reason: ${checkNames.join(', ')}`),
    budget: section({
      disk: size('3 GiB').optional().describe('May be used on the root file system; by default 90 % of it'),
      memory: size('700 MiB').optional().describe('May be used when it has booted; by default 90 %'),
      answer: duration('90 s')
        .optional()
        .describe('From switching on to the end of its first boot; by default any time will do'),
    }).prefault({}),
    machines: z
      .union([z.literal('auto', { error: expected('auto or a whole number') }), count(1, 64)])
      .default('auto')
      .describe('How many machines run scenarios at the same time; auto: as cores and memory allow'),
    hypervisor: oneOf(['qemu', 'virtualbox', 'vagrant'])
      .default('qemu')
      .describe('What runs the machines of scenarios and suites; vagrant: with its provider libvirt'),
    matrix: matrix
      .optional()
      .describe('Hardware as customers have it, on which the packed OVA is booted, too'),
  })

export type Suite = z.output<ReturnType<typeof suite>>
