import { relative } from 'node:path'
import { z } from 'zod'
import type { CookbookFile } from './cookbook-file.ts'
import { existing, existingApart } from './existing.ts'
import { list, mapOf, matching, oneOf, section, words, yesOrNo } from './section.ts'

const folder = (directory: string, what: string) => existingApart(directory, what, 'folder')

/** `chef_solo:`; what the keys say to one another is looked at in cookbooks.ts, with the files they name. */
export const chefSolo = (directory: string) =>
  section({
    cookbooks: z
      .union([
        folder(directory, 'a folder of cookbooks').transform((one) => [one]),
        list(folder(directory, 'a folder of cookbooks')),
      ])
      .default([])
      .describe('A folder of cookbooks, or several; a cookbook that is in more than one comes from the last'),
    run_list: list(words('a recipe, e.g. recipe[license_server]'), 'a list of recipes and roles')
      .default([])
      .describe('E.g. ["recipe[license_server]", "role[web]"]'),
    policy: folder(directory, 'a folder that `chef export` made')
      .optional()
      .describe('Instead of cookbooks and run_list: what `chef export` makes of a Policyfile'),
    berksfile: existing(directory, 'a Berksfile')
      .optional()
      .describe(
        'A Berksfile whose cookbooks are locked and mirrored; those of cookbooks: come before them. Needs berkshelf among the gems for: tools',
      ),
    policyfile: existing(directory, 'a Policyfile')
      .refine((path) => path.endsWith('.rb'), { error: 'expected a Policyfile, *.rb' })
      .optional()
      .describe(
        'Instead of cookbooks and run_list: a Policyfile.rb whose cookbooks are locked and mirrored. Needs chef-cli among the gems for: tools',
      ),
    roles: folder(directory, 'a folder of roles').optional().describe('A folder of roles, *.rb or *.json'),
    environments: folder(directory, 'a folder of environments')
      .optional()
      .describe('A folder of environments, *.rb or *.json'),
    environment: words('the name of an environment').optional().describe('Which one of them'),
    data_bags: folder(directory, 'a folder of data bags')
      .optional()
      .describe('A folder with a folder for each data bag, which has a JSON file for each item'),
    data_bag_secret: z
      .union([
        matching(/^env:[A-Za-z_]\w*$/, 'env:NAME or a file').transform((word) => ({ env: word.slice(4) })),
        existing(directory, 'a file').transform((file) => ({ file })),
      ])
      .optional()
      .describe('What encrypted items are opened with: a file, or env:NAME; it is never on the guest’s disk'),
    attributes: z
      .union([existing(directory, 'a JSON file'), mapOf(z.unknown(), 'a map or a JSON file')])
      .default({})
      .describe('The node’s attributes: a map, or a JSON file'),
    why_run: yesOrNo().default(false).describe('Only says what it would do'),
    log_level: oneOf(['warn', 'info', 'debug', 'trace'])
      .default('warn')
      .describe('How much Chef says of itself'),
    idempotent: oneOf(['check'])
      .optional()
      .describe('check: converges a second time, which must change nothing'),
  })
    .superRefine(({ cookbooks, run_list, policy, policyfile, berksfile }, context) => {
      const say = (key: string, message: string) => context.addIssue({ code: 'custom', message, path: [key] })
      const whole = policy !== undefined ? 'policy' : policyfile !== undefined ? 'policyfile' : undefined
      if (whole === undefined) {
        if (cookbooks.length === 0 && berksfile === undefined)
          say('cookbooks', 'is missing: expected a folder of cookbooks')
        if (run_list.length === 0) say('run_list', 'name at least one recipe')
        return
      }
      if (cookbooks.length > 0 || run_list.length > 0 || berksfile !== undefined)
        say(whole, 'has its own cookbooks and run list: leave cookbooks:, berksfile: and run_list: out')
      if (policy !== undefined && policyfile !== undefined)
        say('policy', 'give either policy: or policyfile:')
    })
    .transform((given) => ({
      cookbooks: given.cookbooks,
      runList: given.run_list,
      policy: given.policy,
      /** Where the cookbooks (of a Policyfile, the run list as well) are solved for when locking. */
      solved: solvedBy(directory, given.berksfile, given.policyfile),
      roles: given.roles,
      environments: given.environments,
      environment: given.environment,
      dataBags: given.data_bags,
      dataBagSecret: given.data_bag_secret as { env?: string; file?: string } | undefined,
      attributesFile: typeof given.attributes === 'string' ? given.attributes : undefined,
      attributes: typeof given.attributes === 'string' ? {} : given.attributes,
      whyRun: given.why_run,
      logLevel: given.log_level,
      idempotent: given.idempotent === 'check',
    }))
    .describe('Converges the guest by Chef, which is not in the appliance afterwards')

function solvedBy(
  directory: string,
  berksfile: string | undefined,
  policyfile: string | undefined,
): CookbookFile | undefined {
  const path = policyfile ?? berksfile
  if (path === undefined) return undefined
  return {
    kind: policyfile === undefined ? 'berksfile' : 'policyfile',
    name: relative(directory, path),
    path,
  }
}
