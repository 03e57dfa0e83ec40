import { z } from 'zod'
import { existing } from './existing.ts'
import { list, mapOf, matching, oneOf, section, words, yesOrNo } from './section.ts'

const folder = (directory: string, what: string) => existing(directory, what, 'folder')

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
    .superRefine(({ cookbooks, run_list, policy }, context) => {
      if (policy === undefined && cookbooks.length === 0)
        context.addIssue({
          code: 'custom',
          message: 'is missing: expected a folder of cookbooks',
          path: ['cookbooks'],
        })
      if (policy === undefined && run_list.length === 0)
        context.addIssue({ code: 'custom', message: 'name at least one recipe', path: ['run_list'] })
      if (policy !== undefined && (cookbooks.length > 0 || run_list.length > 0))
        context.addIssue({
          code: 'custom',
          message: 'has its own cookbooks and run list: leave cookbooks: and run_list: out',
          path: ['policy'],
        })
    })
    .transform((given) => ({
      cookbooks: given.cookbooks,
      runList: given.run_list,
      policy: given.policy,
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
