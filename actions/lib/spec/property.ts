import { count, list, matching, oneOf, section, text, words } from './section.ts'

/** Settings every site has, by what they are about; the agent in the guest applies them at first boot. */
export const settingGroups = ['network', 'dns', 'ntp', 'proxy', 'hostname', 'ca'] as const
export type SettingGroup = (typeof settingGroups)[number]

/** A setting of the user's own. */
export const property = section({
  key: matching(/^[A-Za-z][A-Za-z0-9_-]*$/, 'a key of letters, digits, dash and underscore').describe(
    'Scripts of first_boot get it as PROPERTY_KEY',
  ),
  type: oneOf(['string', 'boolean', 'uint16', 'uint32', 'ip', 'password', 'choice']).default('string'),
  label: words('a label').optional(),
  description: words('text').optional(),
  category: words('a headline').optional(),
  default: text().optional().describe('Has to work: many importers show no properties'),
  choices: list(text()).optional().describe('Of a choice'),
  least: count(0).optional().describe('Shortest text'),
  most: count(1).optional().describe('Longest text'),
}).superRefine((property, context) => {
  const fault = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message })
  const { type, choices, default: value } = property
  if (type === 'password') {
    if (value !== undefined) fault('default', 'a password has no default: every installation would have it')
    return
  }
  if (value === undefined)
    fault('default', 'is missing: most importers show no properties, so it has to work without')
  if (type === 'choice' && (!choices || choices.length === 0))
    fault('choices', 'is missing: what is the choice among?')
  if (type !== 'choice' && choices) fault('choices', `goes with type choice, not with ${type}`)
  if (value === undefined) return
  if (type === 'choice' && choices && !choices.includes(value))
    fault('default', `is none of ${choices.join(', ')}`)
  if (type === 'boolean' && !/^(true|false)$/.test(value))
    fault('default', `expected true or false, got ${value}`)
  const most = type === 'uint16' ? 65_535 : type === 'uint32' ? 2 ** 32 - 1 : undefined
  if (most && !(/^\d{1,10}$/.test(value) && Number(value) <= most))
    fault('default', `expected a whole number from 0 to ${most}, got ${value}`)
})
