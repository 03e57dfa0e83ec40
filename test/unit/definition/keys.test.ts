import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { type BootAction, fillIn, parseBootCommand } from '../../../actions/lib/definition/boot-command.ts'

/** Short, for comparing: chords joined by `-`, waits in seconds. */
const short = (actions: readonly BootAction[]) =>
  actions.map((action) =>
    action.kind === 'press'
      ? action.chord.join('-')
      : action.kind === 'wait'
        ? action.seconds
        : action.kind === 'wait-for'
          ? `${action.text}/${action.seconds}`
          : action.kind === 'variable'
            ? `%${action.name}`
            : '|',
  )
const typed = (...sequence: string[]) => short(parseBootCommand(sequence).actions)

describe('boot_cmd_sequence', () => {
  test('every name of VeeWee, in any case', () => {
    const names =
      '<Enter><RETURN><esc><Tab><Backspace><Bs><Spacebar><Delete><Del><Insert><Up><Down><Left><Right><PageUp><pagedown><Home><End>'
    expect(typed(names)).toEqual(
      'ret ret esc tab backspace backspace spc delete delete insert up down left right pgup pgdn home end'.split(
        ' ',
      ),
    )
    expect(typed('<F1><f12><VT1><vt12><KillX>')).toEqual([
      ...['f1', 'f12', 'ctrl-alt-f1', 'ctrl-alt-f12', 'ctrl-alt-backspace'],
    ])
    expect(parseBootCommand([names]).warnings).toEqual([])
  })
  test('waits, by the clock and for text', () => {
    expect(typed('<Wait><Wait30><wait5>')).toEqual([1, 30, 5])
    expect(typed('<WaitFor:boot:><WaitFor120:Choose Language><waitfor5:grub>>x')).toEqual([
      ...['boot:/300', 'Choose Language/120', 'grub>/5', 'x'],
    ])
  })
  test('what is known only when the machine runs', () => {
    expect(typed('a%IP%:%PORT%%NAME%')).toEqual(['a', '%IP', 'shift-semicolon', '%PORT', '%NAME'])
    expect(typed('%ip%')).toEqual(['shift-5', 'i', 'p', 'shift-5'])
    const { actions } = parseBootCommand(['%IP%'])
    expect(short(fillIn(actions, { IP: '10.0', PORT: '1', NAME: 'x' }))).toEqual(['1', '0', 'dot', '0'])
  })
  test('every character of a US keyboard, shifted ones too', () => {
    const plain = "`1234567890-=[]\\;',./"
    const shifted = '~!@#$%^&*()_+{}|:"<>?'
    expect(typed(shifted)).toEqual(typed(plain).map((key) => `shift-${key}`))
    expect(typed('aZ \n\t')).toEqual(['a', 'shift-z', 'spc', 'ret', 'tab'])
    const printable = String.fromCharCode(...Array.from({ length: 95 }, (_, n) => n + 32))
    expect(parseBootCommand([printable]).faults).toEqual([])
    expect(new Set(typed(printable)).size).toBe(95)
  })
  test('half a second between the strings', () => {
    expect(typed('a', 'b')).toEqual(['a', '|', 'b'])
  })
  test('an unknown name is typed as it stands, with a warning', () => {
    const { actions, warnings } = parseBootCommand(['ab<Entr>', '<WaitFor>'])
    expect(short(actions).slice(2, 5)).toEqual(['shift-comma', 'shift-e', 'n'])
    expect(warnings).toEqual([
      {
        element: 0,
        offset: 2,
        length: 6,
        message: '<Entr> is no key and is typed as it stands, as VeeWee did; <Enter>?',
      },
      {
        element: 1,
        offset: 0,
        length: 9,
        message:
          '<WaitFor> is no key and is typed as it stands, as VeeWee did; <WaitFor:text> waits for a text',
      },
    ])
  })
  test('a wait for text that nothing ends is no wait', () => {
    const { actions, warnings } = parseBootCommand(['<WaitFor5:boot'])
    expect(actions).toHaveLength(14)
    expect(warnings).toMatchObject([
      { offset: 0, length: 10, message: expect.stringContaining('has no > that ends it') },
    ])
  })
  test('characters that a US keyboard lacks are refused in one line', () => {
    expect(parseBootCommand(['aä', 'ö€😀ö']).faults).toEqual([
      {
        element: 0,
        offset: 1,
        length: 1,
        message: '"ä" cannot be typed on a US keyboard, which is what an installer expects',
      },
      {
        element: 1,
        offset: 0,
        length: 1,
        message: '"ö", "€", "😀" cannot be typed on a US keyboard, which is what an installer expects',
      },
    ])
  })
})

test('the parser in the sources is that of the package', () => {
  const folder = mkdtempSync(join(tmpdir(), 'prism-'))
  try {
    execFileSync(process.execPath, ['script/prism-wasm', join(folder, 'prism-wasm.ts')])
    const made = readFileSync(join(folder, 'prism-wasm.ts'), 'utf8')
    expect(made === readFileSync('actions/lib/definition/prism-wasm.ts', 'utf8')).toBe(true)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
