import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { z } from 'zod'
import { commands } from '../../actions/appliance/command.ts'
import { everywhere } from '../../actions/appliance/project.ts'
import { vmActions } from '../../actions/appliance/vm.ts'
import { stepTitles } from '../../actions/chef-provision/steps/steps.ts'
import { publishedSchemas } from '../../actions/lib/spec/json-schema.ts'
import { readSpec } from '../../actions/lib/spec/read.ts'
import { readWorkflow } from '../dist/runner/workflow.ts'

const pages = [
  ...['README.md', 'CONTRIBUTING.md', 'ARCHITECTURE.md'],
  ...readdirSync('docs')
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
  ...readdirSync('actions')
    .map((name) => join('actions', name, 'README.md'))
    .filter((path) => existsSync(path)),
  ...readdirSync('examples').map((name) => join('examples', name, 'README.md')),
]

interface Block {
  language: string
  text: string
  line: number
}

function blocksOf(page: string): Block[] {
  const text = readFileSync(page, 'utf8')
  return [...text.matchAll(/^( *)```(\w*)\n([\s\S]*?)^ *```$/gm)].map((match) => ({
    language: match[2]!,
    text: match[3]!,
    line: text.slice(0, match.index).split('\n').length,
  }))
}

describe.each(pages)('%s', (page) => {
  const text = readFileSync(page, 'utf8')
  const blocks = blocksOf(page)

  test('its links lead somewhere', () => {
    const links = [...text.matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)#?([^)\s]*)\)/g)]
    const broken = links.filter(([, path, anchor]) => {
      const target = path === '' ? page : join(dirname(page), path!)
      return !existsSync(target) || (anchor !== '' && !anchorsOf(target).includes(anchor!))
    })
    expect(broken.map(([link]) => link)).toEqual([])
  })

  test('the commands and flags it names are there', () => {
    const code = [
      ...blocks.map((block) => block.text),
      ...[...text.matchAll(/`([^`\n]+)`/g)].map(([, span]) => span!),
    ]
    const unknown = code.join('\n').split('\n').flatMap(unknownWords)
    expect(unknown).toEqual([])
  })

  test('its YAML is what it says it is', async () => {
    for (const block of blocks.filter(({ language }) => language === 'yaml')) await checkYaml(page, block)
  })
})

/** As GitHub makes them of a page's headings. */
function anchorsOf(page: string): string[] {
  const text = readFileSync(page, 'utf8').replace(/^```[\s\S]*?^```$/gm, '')
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-'),
  )
}

/** `appliance gc --yess` → what is not there. */
function unknownWords(text: string): string[] {
  const line = text.trim().replace(/^- run: /, '')
  const [, word, rest = ''] =
    /(?:^|[\s/])appliance ([a-z][a-z-]+)((?: .*)?)$/.exec(line.replace(/#.*/, '').trimEnd()) ?? []
  if (word === undefined || !/^(?:\$ |\S*\/)?appliance /.test(line.trim())) return []
  if (word === 'help') return []
  const action = word === 'vm' ? (/^ ([a-z-]+)/.exec(rest)?.[1] ?? 'help') : undefined
  const command: { inputs?: object } | undefined =
    action === undefined ? commands[word] : action === 'help' ? {} : vmActions[action]
  if (!command) return [`appliance ${[word, ...(action ? [action] : [])].join(' ')}`]
  const known = [...Object.keys({ ...everywhere, ...command.inputs }), 'json', 'debug', 'help']
  const flags = [...rest.split('|')[0]!.matchAll(/(?:^| )\[?--([a-z-]+)/g)].map(([, flag]) => flag!)
  return flags.filter((flag) => !known.includes(flag)).map((flag) => `appliance ${word} --${flag}`)
}

const schemas = publishedSchemas()

/** A part of a spec, a scenario, a workflow, or the steps of one; `…` stands for what was left out. */
async function checkYaml(page: string, { text, line }: Block): Promise<void> {
  const value = parse(text) as unknown
  const where = `${page}:${line}`
  if (Array.isArray(value)) {
    const ofWorkflow = value.some((step) => Object.hasOwn(step as object, 'uses'))
    if (ofWorkflow) return checkSteps(value as Step[], where)
    return matches('scenario.schema.json', { name: 'x', steps: value }, where)
  }
  const keys = Object.keys(value as object)
  if (keys.includes('jobs')) return await checkWorkflow(text, where)
  if (keys.includes('steps')) return matches('scenario.schema.json', value, where)
  if (keys.includes('driver')) return // of test-kitchen: test/e2e/kitchen.test.ts
  matches('appliance.schema.json', { name: 'x', version: '1.0.0', ...(value as object) }, where)
}

function matches(schema: string, value: unknown, where: string): void {
  const { error } = z.fromJSONSchema(schemas[schema] as never).safeParse(value)
  // What was left out of an example is nobody's mistake: all else in it is looked at.
  const issues = (error?.issues ?? []).filter(
    ({ code, path }) => code === 'unrecognized_keys' || !JSON.stringify(at(value, path)).includes('…'),
  )
  expect([where, issues.map(({ path, message }) => `${path.join('.')}: ${message}`)]).toEqual([where, []])
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return (
    path.reduce((inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key], value) ?? null
  )
}

interface Reusable {
  on: { workflow_call: { inputs: object; secrets: object } }
}

interface Step {
  uses?: string
  with?: object
}

/** Steps of a workflow: those that are ours name actions that there are, and inputs that those take. */
function checkSteps(steps: readonly Step[], where: string): void {
  for (const { uses, with: given = {} } of steps) {
    const [ours, action] = /^org\/appliance(?:\/(?:actions\/)?([^@]*))?@v1$/.exec(uses ?? '') ?? []
    if (ours === undefined) continue
    const file = action === undefined ? 'action.yml' : join('actions', action, 'action.yml')
    expect([where, uses, existsSync(file)]).toEqual([where, uses, true])
    const { inputs } = parse(readFileSync(file, 'utf8')) as { inputs: object }
    expect([where, Object.keys(inputs)]).toEqual([where, expect.arrayContaining(Object.keys(given))])
  }
}

async function checkWorkflow(text: string, where: string): Promise<void> {
  const folder = mkdtempSync('/tmp/appliance-docs-')
  try {
    writeFileSync(join(folder, 'w.yml'), /^on:/m.test(text) ? text : `on: push\n${text}`)
    const { jobs } = await readWorkflow(join(folder, 'w.yml'))
    for (const { uses, with: given = {}, secrets = {}, steps = [] } of Object.values(jobs)) {
      checkSteps(steps, where)
      const [, file] = /^org\/appliance\/(\.github\/workflows\/.*)@v1$/.exec(uses ?? '') ?? []
      if (!file) continue
      const { workflow_call: call } = (parse(readFileSync(file, 'utf8')) as Reusable).on
      expect([where, Object.keys(call.inputs)]).toEqual([where, expect.arrayContaining(Object.keys(given))])
      expect([where, Object.keys(call.secrets)]).toEqual([
        where,
        expect.arrayContaining(Object.keys(secrets)),
      ])
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('values for Actions Runner Controller are what their schema says, and a mistake in them is found', () => {
  const schema = z.fromJSONSchema(JSON.parse(readFileSync('docs/arc/runner-values.schema.json', 'utf8')))
  const values = parse(readFileSync('docs/arc/runner-values.yaml', 'utf8'))
  expect(schema.safeParse(values).error).toBeUndefined()
  expect(schema.safeParse({ ...values, maxRunner: 3 }).success).toBe(false)
  values.template.spec.containers[0].resources.limits['devices.kubevirt.io/kvm'] = 1
  expect(schema.safeParse(values).success).toBe(false)
})

test("docs/new-build.md shows the line that a new build of the example's application gives", async () => {
  const spec = await readSpec('examples/license-server/appliance.yml')
  const titles = stepTitles(spec.provision)
  const line = `chef-provision: again, because step ${titles.length}, ${titles.at(-1)} changed`
  expect(spec.provision.at(-1)).toMatchObject({
    kind: 'upload',
    from: resolve('examples/license-server/app'),
  })
  expect(readFileSync('docs/new-build.md', 'utf8')).toContain(`\n${line}\n`)
})
