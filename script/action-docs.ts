import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { type ActionName, actionNames, type Contract, contractOf } from '../actions/appliance/contract.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const BEGIN = '<!-- inputs and outputs: script/action-docs writes this part from the declarations -->'
const END = '<!-- end -->'

/** @see https://docs.github.com/actions/reference/metadata-syntax-reference#branding */
const branding: Record<ActionName, { icon: string; color: string }> = {
  'mirror-deps': { icon: 'download-cloud', color: 'blue' },
  'veewee-basebox': { icon: 'box', color: 'gray-dark' },
  'chef-provision': { icon: 'sliders', color: 'orange' },
  'vm-validate': { icon: 'check-square', color: 'green' },
  'ova-pack': { icon: 'package', color: 'purple' },
  appliance: { icon: 'hard-drive', color: 'blue' },
  plan: { icon: 'list', color: 'gray-dark' },
  publish: { icon: 'upload-cloud', color: 'green' },
}

/** The folder of an action, from the checkout's root; the whole pipeline's is the root itself. */
export function folderOf(name: ActionName): string {
  return name === 'appliance' ? '.' : `actions/${name}`
}

/** Where an action is described; the whole pipeline not in the project's README, which is about more. */
export function readmeOf(name: ActionName): string {
  return `actions/${name}/README.md`
}

/** An action's `action.yml`, whole. */
export function actionYaml({ name, description, inputs, outputs }: Contract): string {
  const up = name === 'appliance' ? '' : '../../'
  const metadata = {
    name: name === 'appliance' ? 'Virtual appliance' : `Virtual appliance: ${name}`,
    description,
    branding: branding[name],
    inputs: mapValues(inputs, ({ description, default: word, choices }) => ({
      description: choices ? `${description} (${choices.join(', ')})` : description,
      required: false,
      default: word,
    })),
    outputs: mapValues(outputs, (description) => ({ description })),
    runs: { using: 'node24', main: `${up}dist/${name}/index.js`, post: `${up}dist/post/index.js` },
  }
  const text = stringify(metadata, { lineWidth: 0, singleQuote: true, defaultStringType: 'PLAIN' })
  return `# Written by script/action-docs from the declarations in the stages.\n${text}`
}

/** A README with its tables of inputs and outputs renewed; what stands outside of the marks is left alone. */
export function withTables(readme: string, contract: Contract): string {
  const [before, rest] = readme.split(BEGIN)
  const after = rest?.split(END)[1]
  if (after === undefined)
    throw new Error(`the README of ${contract.name} has no place for its tables: ${BEGIN} … ${END}`)
  return `${before}${BEGIN}\n${tables(contract)}${END}${after}`
}

function tables({ inputs, outputs }: Contract): string {
  const takes = Object.entries(inputs).map(([name, { description, default: word, choices }]) => {
    const words = choices ? ` (${choices.map((choice) => `\`${choice}\``).join(', ')})` : ''
    return `| \`${name}\` | ${description}${words} | ${word === '' ? '' : `\`${word}\``} |`
  })
  const gives = Object.entries(outputs).map(([name, description]) => `| \`${name}\` | ${description} |`)
  return [
    '| input | | default |',
    '|---|---|---|',
    ...takes,
    '',
    '| output | |',
    '|---|---|',
    ...gives,
    '',
  ].join('\n')
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const name of actionNames) {
    const contract = contractOf(name)
    writeFileSync(join(root, folderOf(name), 'action.yml'), actionYaml(contract))
    const readme = join(root, readmeOf(name))
    writeFileSync(readme, withTables(readFileSync(readme, 'utf8'), contract))
  }
}
