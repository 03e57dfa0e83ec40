import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { actionNames, contractOf } from '../../../actions/appliance/contract.ts'
import { actionYaml, folderOf, readmeOf, withTables } from '../../../script/action-docs.ts'

const root = resolve(import.meta.dirname, '../../..')
const read = (...path: string[]) => readFileSync(join(root, ...path), 'utf8')

interface ActionMetadata {
  description: string
  inputs: Record<string, { description: string; default: string }>
  outputs: Record<string, { description: string }>
  runs: { using: string; main: string }
}

describe.each(actionNames)('%s', (name) => {
  const contract = contractOf(name)

  test('action.yml takes and gives what is declared', () => {
    const text = read(folderOf(name), 'action.yml')
    const action = parse(text) as ActionMetadata
    const declared = Object.entries(contract.inputs).map(([input, { default: word }]) => [input, word])
    expect(Object.entries(action.inputs).map(([input, { default: word }]) => [input, word])).toEqual(declared)
    expect(Object.keys(action.outputs)).toEqual(Object.keys(contract.outputs))
    expect(action.runs.using).toBe('node24')
    // What is not looked at above (descriptions, the order) is as script/action-docs writes it.
    expect(text).toBe(actionYaml(contract))
  })

  test('action.yml starts a stub that starts this very action', () => {
    const { runs } = parse(read(folderOf(name), 'action.yml')) as ActionMetadata
    expect(read(folderOf(name), runs.main)).toBe(
      `import { runAction } from '../bundle/index.js'\nawait runAction('${name}')\n`,
    )
  })

  test('the README has the same tables', () => {
    const readme = read(readmeOf(name))
    expect(readme).toBe(withTables(readme, contract))
  })
})
