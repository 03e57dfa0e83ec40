import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { readDefinition } from '../../../actions/lib/definition/definition.ts'
import { explainJson } from '../../../actions/lib/definition/explain.ts'
import { inspect } from '../../../actions/lib/definition/value.ts'
import { literals } from '../../fixtures/definitions/literals.ts'
import { definitionFolders, definitionsFolder } from '../../fixtures/definitions/marks.ts'

// Ruby itself says what VeeWee got. script/bootstrap test installs it.
const missing = spawnSync('ruby', ['-v']).error ? 'ruby is not installed: script/bootstrap test' : undefined
const withRuby = missing ? test.skip : test
const because = missing ? ` (${missing})` : ''

/** What Ruby gets from definitions, folder by folder. */
function asRuby(cwd: string, folders: readonly string[]): Record<string, unknown> {
  const script = join(definitionsFolder, 'veewee.rb')
  return JSON.parse(
    execFileSync('ruby', ['-W0', script, ...folders], {
      cwd,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  )
}

const declared = (folder: string, workingDirectory: string) =>
  JSON.parse(JSON.stringify(explainJson(readDefinition(folder, { workingDirectory })).declared))

withRuby(`every fixture gives what it gives to Ruby${because}`, () => {
  const folders = definitionFolders('read')
  const ruby = asRuby(definitionsFolder, folders)
  for (const folder of folders)
    expect({ folder, declared: declared(folder, definitionsFolder) }).toEqual({
      folder,
      declared: ruby[folder],
    })
})

withRuby(`any literal we print is the same value to Ruby and to us${because}`, () => {
  const root = mkdtempSync(join(tmpdir(), 'literals-'))
  try {
    const values = fc.sample(literals, { numRuns: 150, seed: 20261123 })
    const folders = values.map((value, index) => {
      mkdirSync(join(root, `v${index}`))
      const text = `Veewee::Definition.declare({ :value => ${inspect(value)} })\n`
      writeFileSync(join(root, `v${index}`, 'definition.rb'), text)
      return `v${index}`
    })
    const ruby = asRuby(root, folders)
    for (const folder of folders)
      expect({ folder, ...declared(folder, root) }).toEqual({ folder, ...(ruby[folder] as object) })
  } finally {
    rmSync(root, { recursive: true })
  }
})
