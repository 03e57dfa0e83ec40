import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { fillIn, parseBootCommand } from '../../../actions/lib/definition/boot-command.ts'
import { type Definition, readDefinition } from '../../../actions/lib/definition/definition.ts'
import { explain, explainJson, plainValue } from '../../../actions/lib/definition/explain.ts'
import { inspect } from '../../../actions/lib/definition/value.ts'
import { showFault } from '../../../actions/lib/errors/fault.ts'
import { literals } from '../../fixtures/definitions/literals.ts'
import { definitionFolders, definitionsFolder } from '../../fixtures/definitions/marks.ts'
import { memoryFiles } from '../../fixtures/definitions/memory.ts'

const seed = 20261123

/** Reads, and uses all that was read: whatever it is given, it ends, and says what is wrong in lines. */
function survive(files: Record<string, string | Uint8Array>): Definition {
  const definition = readDefinition('/w/base', { files: memoryFiles(files) })
  for (const fault of [...definition.faults, ...definition.warnings]) {
    expect(fault.message).not.toContain('\n')
    expect(showFault(fault).split('\n').length).toBeLessThanOrEqual(3)
  }
  expect(definition.faults.length).toBeLessThanOrEqual(200)
  expect(definition.recipe === undefined).toBe(definition.faults.length > 0)
  explain(definition)
  JSON.stringify(explainJson(definition))
  return definition
}

const sources = [...definitionFolders('read'), ...definitionFolders('refused')].map((folder) =>
  readFileSync(join(definitionsFolder, folder, 'definition.rb')),
)
const yaml = readFileSync(join(definitionsFolder, 'read/yaml/definition.yml'))
const template = readFileSync(join(definitionsFolder, 'read/kickstart-erb/ks.cfg.erb'))

test('any literal printed as Ruby parses back to itself', () => {
  fc.assert(
    fc.property(literals, (value) => {
      const ruby = `Veewee::Definition.declare({ :value => ${inspect(value)} })`
      const { declared } = readDefinition('/w/base', { files: memoryFiles({ 'definition.rb': ruby }) })
      const back = declared.get('value')!.value
      expect(plainValue(back)).toEqual(plainValue(value))
      expect(inspect(back)).toBe(inspect(value))
    }),
    { numRuns: 150, seed },
  )
})

describe('no input makes the reader crash', () => {
  test('random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        survive({ 'definition.rb': bytes })
      }),
      { numRuns: 300, seed },
    )
  })
  test('random characters that Ruby finds meaning in', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-c1 \n'"`#{}()[\]:=>,.*+|&%w<~?!@$;\\-]{0,80}$/), (text) => {
        survive({ 'definition.rb': `x = 'a'\n${text}\nVeewee::Definition.declare(:a => x)` })
      }),
      { numRuns: 150, seed },
    )
  })
  test('fixtures cut off anywhere', () => {
    fc.assert(
      fc.property(fc.constantFrom(...sources), fc.double({ min: 0, max: 1, noNaN: true }), (bytes, at) => {
        survive({ 'definition.rb': bytes.subarray(0, Math.floor(bytes.length * at)) })
      }),
      { numRuns: 200, seed },
    )
  })
  test('fixtures with pieces of others in them', () => {
    const part = fc.tuple(fc.constantFrom(...sources), fc.nat(5000), fc.nat(60))
    fc.assert(
      fc.property(part, part, ([into, at], [from, start, length]) => {
        const piece = from.subarray(start % from.length, (start % from.length) + length)
        const cut = at % into.length
        survive({ 'definition.rb': Buffer.concat([into.subarray(0, cut), piece, into.subarray(cut)]) })
      }),
      { numRuns: 200, seed },
    )
  })
  test('YAML and templates, cut and mixed', () => {
    const ruby = `Veewee::Definition.declare_yaml('a.yml', { :iso_file => 'x', :ssh_user => 'x', :ssh_password => 'x',
      :kickstart_file => 'a.erb' })`
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.string({ maxLength: 5 }), (at, to, between) => {
        const mixed = (bytes: Buffer) =>
          Buffer.concat([
            bytes.subarray(0, at % bytes.length),
            Buffer.from(between),
            bytes.subarray(to % bytes.length),
          ])
        survive({ 'definition.rb': ruby, 'a.yml': mixed(yaml), 'a.erb': mixed(template) })
      }),
      { numRuns: 200, seed },
    )
  })
  test.each([
    ...['[ ]', '{a: }', '( )', '"#{ }"', '-', '!', 'a+', 'a.', 'if x; end;', '->{ }', 'def f; end;'],
    ...[
      'begin; end;',
      'class A; end;',
      'case x;when 1; end;',
      '<<A;',
      'a=',
      '*',
      'a ? b : ',
      '/',
      '%(',
      'f( )',
    ],
  ])('%s a hundred, a thousand and thousands of times', (pattern) => {
    const [open, close = ''] = pattern.split(' ').length === 2 ? pattern.split(' ') : [pattern]
    for (const n of [100, 1000, 3000]) {
      const text = `Veewee::Definition.declare({ :a => ${open!.repeat(n)}1${close.repeat(n)} })`
      expect(survive({ 'definition.rb': text }).faults).not.toEqual([])
    }
  })
  test('and after one that is nested too deeply the next is read', () => {
    expect(survive({ 'definition.rb': '['.repeat(9000) }).faults[0]!.message).toBe(
      'is nested too deeply to be read',
    )
    const next = survive({ 'definition.rb': "Veewee::Definition.declare(:cpu_count => '3')" })
    expect(next.declared.get('cpu_count')!.value).toBe('3')
  })
})

test('any sequence is typed as keys or refused by character', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' }), { maxLength: 4 }), (sequence) => {
      const { actions, faults } = parseBootCommand(sequence)
      const typable = sequence.every((text) => /^[\n\t\x20-\x7e]*$/.test(text))
      expect(faults.length === 0).toBe(typable)
      for (const action of fillIn(actions, { IP: '10.0.2.2', PORT: '7122', NAME: 'box' }))
        expect(action.kind).not.toBe('variable')
    }),
    { numRuns: 500, seed },
  )
})
