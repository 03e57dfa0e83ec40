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
    const links = [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map(([, link]) => link!)
    expect(links.filter((link) => !existsSync(resolve(dirname(page), link)))).toEqual([])
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

/** `appliance gc --yess` → what is not there. */
function unknownWords(line: string): string[] {
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
const specKeys = Object.keys((schemas['appliance.schema.json'] as { properties: object }).properties)

/** A part of a spec, a scenario, a workflow, or the steps of one; `…` stands for what was left out. */
async function checkYaml(page: string, { text, line }: Block): Promise<void> {
  const value = parse(text) as unknown
  if (Array.isArray(value)) {
    // Steps of a workflow, which name actions that there are.
    for (const { uses } of value as { uses?: string }[]) {
      const [, action] = /^org\/appliance\/?([^@]*)@v1$/.exec(uses ?? '') ?? []
      if (action)
        expect([page, line, existsSync(join('actions', action, 'action.yml'))]).toEqual([page, line, true])
    }
    return
  }
  const keys = Object.keys(value as object)
  if (keys.includes('jobs')) return await checkWorkflow(text)
  if (keys.includes('steps')) return matches('scenario.schema.json', value, `${page}:${line}`)
  if (keys.every((key) => specKeys.includes(key)))
    return matches(
      'appliance.schema.json',
      { name: 'x', version: '1.0.0', ...(value as object) },
      `${page}:${line}`,
    )
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

async function checkWorkflow(text: string): Promise<void> {
  const folder = mkdtempSync('/tmp/appliance-docs-')
  try {
    writeFileSync(join(folder, 'w.yml'), /^on:/m.test(text) ? text : `on: push\n${text}`)
    const { jobs } = await readWorkflow(join(folder, 'w.yml'))
    for (const { uses, with: given = {} } of Object.values(jobs)) {
      const [, file] = /^org\/appliance\/(\.github\/workflows\/.*)@v1$/.exec(uses ?? '') ?? []
      if (!file) continue
      const { on } = parse(readFileSync(file, 'utf8')) as { on: { workflow_call: { inputs: object } } }
      expect(Object.keys(on.workflow_call.inputs)).toEqual(expect.arrayContaining(Object.keys(given)))
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
