import type { Chord } from '../../console/keys.ts'

/** Make codes of scan code set 1, by QEMU's names of the keys (QKeyCode); those that begin with e0 are extended. */
const MAKE: Readonly<Record<string, string>> = {
  esc: '01',
  ...inRow('02', ['1', '2', '3', '4', '5', '6', '7', '8', '9', '0', 'minus', 'equal', 'backspace', 'tab']),
  ...inRow('10', [...'qwertyuiop', 'bracket_left', 'bracket_right', 'ret', 'ctrl']),
  ...inRow('1e', [...'asdfghjkl', 'semicolon', 'apostrophe', 'grave_accent', 'shift', 'backslash']),
  ...inRow('2c', [...'zxcvbnm', 'comma', 'dot', 'slash']),
  alt: '38',
  spc: '39',
  ...inRow('3b', ['f1', 'f2', 'f3', 'f4', 'f5', 'f6', 'f7', 'f8', 'f9', 'f10']),
  ...inRow('57', ['f11', 'f12']),
  home: 'e047',
  up: 'e048',
  pgup: 'e049',
  left: 'e04b',
  right: 'e04d',
  end: 'e04f',
  down: 'e050',
  pgdn: 'e051',
  insert: 'e052',
  delete: 'e053',
}

/**
 * What a PC's keyboard sends for a chord: each key down, in order, then each up, in reverse.
 *
 * @returns bytes in hexadecimal, as `VBoxManage controlvm NAME keyboardputscancode` takes them
 * @see IBM Personal Computer AT Technical Reference, keyboard scan codes, set 1: a key that goes up has bit 7 set
 */
export function scancodes(chord: Chord): string[] {
  const codes = chord.map((key) => {
    const make = MAKE[key]
    if (make === undefined) throw new Error(`no scan code for the key ${key}`)
    return make.match(/../g)!
  })
  const up = (code: string[]) =>
    code.map((byte) => (byte === 'e0' ? byte : (Number.parseInt(byte, 16) | 0x80).toString(16)))
  return [...codes.flat(), ...codes.reverse().flatMap(up)]
}

function inRow(first: string, keys: readonly string[]): Record<string, string> {
  const from = Number.parseInt(first, 16)
  return Object.fromEntries(keys.map((key, n) => [key, (from + n).toString(16).padStart(2, '0')]))
}
