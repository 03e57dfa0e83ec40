import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { z } from 'zod'
import { publishedSchemas } from '../../../actions/lib/spec/json-schema.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const example = join(root, 'examples/license-server')
const schemas = publishedSchemas()

/** Judges by the JSON Schema alone. */
const accepts = (name: string, value: unknown) =>
  z.fromJSONSchema(schemas[name] as Parameters<typeof z.fromJSONSchema>[0]).safeParse(value).success

const appliance = 'appliance.schema.json'
const scenario = 'scenario.schema.json'
const steps = (...given: unknown[]) => ({ name: 'It works', steps: given })

test('the published files are what the sources give; script/schema writes them', async () => {
  expect((await readdir(join(root, 'schema'))).sort()).toEqual(Object.keys(schemas).sort())
  for (const [name, schema] of Object.entries(schemas))
    expect(JSON.parse(await readFile(join(root, 'schema', name), 'utf8'))).toEqual(schema)
})

test('the example is accepted, scenarios and all', async () => {
  expect(accepts(appliance, parse(await readFile(join(example, 'appliance.yml'), 'utf8')))).toBe(true)
  for (const name of await readdir(join(example, 'scenarios')))
    expect([
      name,
      accepts(scenario, parse(await readFile(join(example, 'scenarios', name), 'utf8'))),
    ]).toEqual([name, true])
})

describe('refused is', () => {
  const spec = { name: 'box', version: '1.0.0' }
  test('nothing in the smallest of each', () => {
    expect(accepts(appliance, spec)).toBe(true)
    expect(
      accepts(
        scenario,
        steps(
          'boot',
          { boot: { memory: '64 MiB' }, not: true },
          { run: 'x', as: 'nobody', env: {}, save: 'x' },
          { rollback: null },
          { port: 80, eventually: '3 s' },
        ),
      ),
    ).toBe(true)
  })

  test.each([
    ['a misspelt key', { ...spec, frist_boot: [] }],
    ['a planned key', { ...spec, login: {} }],
    ['a missing key', { name: 'box' }],
    ['a size without unit', { ...spec, pack: { hardware: { memory: '2' } } }],
    ['a step that does not exist', { ...spec, provision: [{ shel: 'x' }] }],
    ['a setting that means nothing to a step', { ...spec, provision: [{ reboot: null, as: 'me' }] }],
  ])('%s in a spec', (_, value) => {
    expect(accepts(appliance, value)).toBe(false)
  })

  test.each([
    ['a word that is no step', steps('boto')],
    ['a word that needs an argument', steps('run')],
    ['an argument too many', steps({ boot: 'now' })],
    ['two kinds in one step', steps({ port: 80, get: '/' })],
    ['no kind in a step', steps({ timeout: '3 s' })],
    ['a user who looks at a file', steps({ file: '/etc', as: 'nobody' })],
    ['a port to be saved', steps({ port: 80, save: 'x' })],
    ['a restart that must not come', steps({ reboot: null, not: true })],
    ['a time without unit', steps({ run: 'x', eventually: '60' })],
    ['no steps', steps()],
  ])('%s in a scenario', (_, value) => {
    expect(accepts(scenario, value)).toBe(false)
  })
})

test('editors offer in a provisioning step what it takes, and nothing else', () => {
  expect(schemas[appliance]).toMatchObject({
    properties: { provision: { items: { anyOf: [{ enum: ['reboot'] }, { additionalProperties: false }] } } },
  })
  const [, map] = (
    schemas[appliance] as {
      properties: { provision: { items: { anyOf: [object, { properties: object }] } } }
    }
  ).properties.provision.items.anyOf
  expect(Object.keys(map.properties)).toEqual([
    'shell',
    'upload',
    'download',
    'reboot',
    'wait_for',
    'chef_solo',
    'capistrano',
    'name',
    'timeout',
    'as',
    'env',
    'sensitive',
  ])
})
