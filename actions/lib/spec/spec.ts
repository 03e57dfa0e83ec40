import type { z } from 'zod'
import { basebox } from './basebox.ts'
import { cache } from './cache.ts'
import { existing } from './existing.ts'
import type { Machine } from './machine.ts'
import { mirror } from './mirror/mirror.ts'
import { tools } from './mirror/tools.ts'
import { pack } from './pack.ts'
import { packageSources } from './package-sources.ts'
import { provisionStep } from './provision-step.ts'
import { list, mapOf, matching, notYet, oneOf, section, text, whereSecret, words } from './section.ts'
import { validate } from './validate.ts'

/** A version; the release workflow's tag is held to the same form. */
export const version = matching(
  /^[0-9A-Za-z][0-9A-Za-z.+~_-]*$/,
  'a version such as 1.4.0, in quotes if it has fewer than two dots',
)

const product = section({
  title: words('a title').optional().describe('The product’s name for people'),
  vendor: words('a vendor').optional(),
  url: words('an address').optional(),
})

/** The whole of `appliance.yml`; paths in it begin at `directory`. */
export const specSchema = (directory: string) =>
  section({
    name: matching(/^[a-z0-9][a-z0-9-]*$/, 'a name of a-z, 0-9 and dash').describe(
      'The appliance’s name: its file’s and its host’s',
    ),
    version: version.describe('A release overrides it with its tag'),
    product: product.prefault({}).describe('What people see'),
    mirror: mirror(directory),
    tools: tools(directory),
    basebox: basebox(directory).describe('The minimal machine everything begins with'),
    chef: section({
      license: oneOf(['accept', 'accept-silent', 'accept-no-persist'])
        .optional()
        .describe('Your word on https://www.chef.io/end-user-license-agreement'),
      from: oneOf(['tools', 'guest'])
        .default('tools')
        .describe(
          'tools: Chef comes on a disk that is unplugged afterwards; guest: an earlier step has installed it',
        ),
    }).prefault({}),
    provision: list(provisionStep(directory), 'a list of steps')
      .default([])
      .describe('What makes the base machine the appliance, in order'),
    cache: cache.describe('What is kept of provision between runs'),
    package_sources: packageSources(directory).describe('Where the customer’s machine gets packages from'),
    first_boot: list(existing(directory, 'a script'), 'a list of scripts')
      .default([])
      .describe('Run once, at the customer’s: what must differ from installation to installation'),
    validate: validate(directory).prefault({}).describe('What the appliance must do before it is packed'),
    pack: pack(directory).prefault({}).describe('What is shipped'),
    variables: mapOf(text(), 'a map from names to values')
      .default({})
      .describe('Values for {{name}} in scenarios'),
    secrets: mapOf(
      whereSecret(/^(generate|env:[A-Za-z_][A-Za-z0-9_]*)$/, 'env:NAME or generate'),
      'a map from names to env:NAME or generate',
    )
      .default({})
      .describe(
        'Values for {{secret.name}} in scenarios: from the environment, env:NAME, or made anew each time, generate',
      ),
    login: notYet(),
    network: oneOf(['auto', 'private', 'user'])
      .default('auto')
      .describe('The machines’ network; auto: private where this computer allows it, else user'),
    escapes: oneOf(['fail', 'warn'])
      .default('fail')
      .describe(
        'What to do when something tries to reach what is not in the mirror: fail the stage, or only tell',
      ),
    accel: oneOf(['auto', 'kvm', 'tcg'])
      .default('auto')
      .describe('Hardware virtualization; auto: kvm where it works, else tcg, which is slow'),
  }).transform(({ first_boot: firstBoot, package_sources: packages, ...rest }) => ({
    ...rest,
    firstBoot,
    packageSources: packages,
  }))

/** What the user wrote, free of faults: defaults filled in, sizes in bytes, times in ms, paths absolute. */
export type Spec = Omit<WrittenSpec, 'basebox'> & { basebox: WrittenSpec['basebox'] & Machine }

/** The same before a definition was asked for what the spec does not say. */
export type WrittenSpec = z.output<ReturnType<typeof specSchema>>
export type { ProvisionStep } from './provision-step.ts'
export type { Scenario, ScenarioStep } from './scenario.ts'
