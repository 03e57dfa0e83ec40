import { describe, expect, test } from '@jest/globals'
import { InputError } from '../../../actions/lib/errors/fault.ts'
import { choice, file, fileOrAddress, flag, names, path, text } from '../../../actions/lib/stage/input.ts'
import { missingFiles } from '../../../actions/lib/stage/missing.ts'
import { parseFlags, parseInputs, resolvePaths } from '../../../actions/lib/stage/parse.ts'

const declared = {
  disk: path('The disk to boot'),
  note: text('Anything'),
  verify: flag('Read every byte'),
  driver: choice('Who boots it', ['qemu', 'virtualbox', 'vagrant']),
}

/** The messages of all faults; fails when there are none. */
function faultsOf(work: () => unknown): string[] {
  try {
    work()
  } catch (error) {
    if (error instanceof InputError) return error.faults.map(({ message }) => message)
    throw error
  }
  throw new Error('expected faults')
}

describe('inputs of a workflow', () => {
  const parse = (raw: Record<string, string>) => parseInputs(declared, (name) => raw[name] ?? '')

  test('an empty string is the default', () => {
    expect(parse({})).toEqual({ disk: undefined, note: undefined, verify: false, driver: 'qemu' })
  })

  test('words become values', () => {
    expect(parse({ disk: 'a b.qcow2', note: ' x ', verify: 'true', driver: 'vagrant' })).toEqual({
      disk: 'a b.qcow2',
      note: 'x',
      verify: true,
      driver: 'vagrant',
    })
  })

  test('all faults come at once', () => {
    expect(faultsOf(() => parse({ verify: 'yes', driver: 'virtualbix' }))).toEqual([
      'input verify: expected true or false, got "yes"',
      'input driver: expected one of qemu, virtualbox, vagrant, got "virtualbix"; did you mean virtualbox?',
    ])
  })
})

describe('flags of the command', () => {
  const parse = (...argv: string[]) => parseFlags(declared, argv)

  test('a value follows its flag or an equals sign', () => {
    expect(parse('--disk', 'a.qcow2', '--note=b=c', '--verify')).toEqual({
      disk: 'a.qcow2',
      note: 'b=c',
      verify: true,
      driver: 'qemu',
    })
  })

  test('a flag can be switched off by name, and does not swallow the next word', () => {
    expect(parse('--verify=false').verify).toBe(false)
    expect(faultsOf(() => parse('--verify', 'a.qcow2'))).toEqual([
      'a.qcow2: expected a flag, as in --disk VALUE',
    ])
  })

  test('unknown flags suggest the nearest, and every fault is named', () => {
    expect(faultsOf(() => parse('--drivr', 'x', '--disk', '--verify=1', '--zzz'))).toEqual([
      'there is no flag --drivr; did you mean --driver?',
      '--disk needs a value: a file or folder',
      'there is no flag --zzz',
      '--verify: expected true or false, got "1"',
    ])
  })

  test('a flag given twice is a fault, and names of Object.prototype are unknown', () => {
    expect(faultsOf(() => parse('--note', 'a', '--note', 'b'))).toEqual(['--note is given twice'])
    expect(faultsOf(() => parse('--constructor=x'))).toEqual(['there is no flag --constructor'])
  })
})

test('paths begin at the folder given, other words stay as they are', () => {
  const values = parseFlags(declared, ['--disk', 'out/a.qcow2', '--note', 'out'])
  expect(resolvePaths(declared, values, '/project')).toMatchObject({
    disk: '/project/out/a.qcow2',
    note: 'out',
  })
  expect(resolvePaths(declared, parseFlags(declared, ['--disk', '/a']), '/project').disk).toBe('/a')
})

test('named files that are not there are faults, all of them; addresses are somebody else’s', async () => {
  const inputs = {
    disk: file('disk', 'A disk'),
    ova: file('OVA', 'An OVA'),
    archive: fileOrAddress('archive', 'An archive'),
  }
  const given = { disk: 'no.qcow2', ova: '/', archive: 'https://example.test/m.tar.zst' }
  expect(await missingFiles(inputs, given, '/project')).toEqual([
    { message: 'disk: there is no disk /project/no.qcow2' },
    { message: 'ova: expected a file, but / is a folder' },
  ])
  const here = new URL(import.meta.url).pathname
  expect(
    await missingFiles(inputs, { ...given, disk: here, ova: undefined, archive: 'm.tar' }, '/x'),
  ).toEqual([{ message: 'archive: there is no archive /x/m.tar' }])
})

describe('names', () => {
  const inputs = { update: names('Which'), verify: flag('Read every byte') }

  test.each([
    [['--update'], 'all'],
    [
      ['--update', 'app', 'chef', '--verify'],
      ['app', 'chef'],
    ],
    [['--update=app,chef'], ['app', 'chef']],
    [[], undefined],
  ])('%j on the command line', (argv, update) => {
    expect(parseFlags(inputs, argv).update).toEqual(update)
  })

  test.each([
    ['app chef', ['app', 'chef']],
    ['all', 'all'],
    ['true', 'all'],
    ['false', undefined],
    ['', undefined],
  ])('%j in a workflow', (word, update) => {
    expect(parseInputs(inputs, (name) => (name === 'update' ? word : '')).update).toEqual(update)
  })
})
