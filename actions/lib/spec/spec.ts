import { z } from 'zod'
import { mirror, tools } from './mirror.ts'
import { count, existing, list, notYet, oneOf, section, size, words } from './section.ts'
import { provisionStep } from './step.ts'

const product = section({
  title: words('a title').optional(),
  vendor: words('a vendor').optional(),
  url: words('an address').optional(),
})

const basebox = section({
  bootstrap: section({
    suite: words('a suite, e.g. bookworm'),
    packages: list(words('a package'), 'a list of packages').default([]),
  }).optional(),
  definition: notYet('basebox.definition'),
  cpus: count(1).default(2),
  memory: size('1 GiB').prefault('1 GiB'),
  disk: size('10 GiB').prefault('10 GiB'),
}).prefault({})

const hardware = section({
  cpus: count(1).optional(),
  memory: size('2 GiB').optional(),
  disk: size('20 GiB').optional(),
}).prefault({})

const listener = words('a port such as 80/tcp').regex(/^\d{1,5}\/(tcp|udp)$/, {
  error: 'expected a port such as 80/tcp',
})

/** The whole of `appliance.yml`; paths in it begin at `directory`. */
export const specSchema = (directory: string) =>
  section({
    name: words('a name').regex(/^[a-z0-9][a-z0-9-]*$/, {
      error: 'a name is of a-z, 0-9 and dash: it becomes a file and a host name',
    }),
    version: words('a version in quotes or with two dots, e.g. 1.4.0').regex(
      /^[0-9A-Za-z][0-9A-Za-z.+~_-]*$/,
      {
        error: 'a version is of letters, digits, dots, plus, tilde, underscore and dash',
      },
    ),
    product: product.prefault({}),
    mirror: mirror(directory),
    tools: tools(directory),
    basebox,
    chef: section({ license: oneOf(['accept', 'accept-silent', 'accept-no-persist']).optional() }).prefault(
      {},
    ),
    provision: list(provisionStep(directory), 'a list of steps').default([]),
    first_boot: list(existing(directory, 'a script'), 'a list of scripts').default([]),
    validate: section({
      scenarios: existing(directory, 'a folder of scenarios').optional(),
      listens: list(listener, 'a list of ports such as 80/tcp').optional(),
      suites: notYet('validate.suites'),
    }).prefault({}),
    pack: section({
      formats: list(oneOf(['ova', 'qcow2'])).default(['ova']),
      hardware,
      eula: existing(directory, 'a text file').optional(),
      annotation: words('text').optional(),
      sign: notYet('pack.sign'),
    }).prefault({}),
    variables: z
      .record(z.string(), z.coerce.string())
      .default({})
      .describe('Values for {{name}} in scenarios'),
    secrets: z
      .record(z.string(), words('where the secret is, e.g. env:NAME'))
      .default({})
      .describe(
        'Values for {{secret.name}}, from the environment: env:NAME, or made anew for each build: generate',
      ),
    network: oneOf(['auto', 'private', 'user']).default('auto'),
    accel: oneOf(['auto', 'kvm', 'tcg']).default('auto'),
  })
    .transform(({ first_boot: firstBoot, ...rest }) => ({ ...rest, firstBoot }))
    .superRefine((spec, context) => {
      const { basebox, pack } = spec
      for (const key of ['cpus', 'memory', 'disk'] as const)
        if (pack.hardware[key] !== undefined && pack.hardware[key] < basebox[key])
          context.addIssue({
            code: 'custom',
            path: ['pack', 'hardware', key],
            message: `pack.hardware.${key} may be larger than basebox.${key}, never smaller`,
          })
    })

/** What the user wrote, free of faults: defaults filled in, sizes in bytes, times in ms, paths absolute. */
export type Spec = z.output<ReturnType<typeof specSchema>>
export type { Scenario, ScenarioStep } from './scenario.ts'
export type { ProvisionStep } from './step.ts'
