/** Keys held down together, as QEMU's QKeyCode names them (qapi/ui.json); the last is the one that is struck. */
export type Chord = readonly string[]

/** Characters of a US keyboard: struck alone, and with shift. */
const PAIRS: readonly [string, string, string][] = [
  ['`', '~', 'grave_accent'],
  ['1', '!', '1'],
  ['2', '@', '2'],
  ['3', '#', '3'],
  ['4', '$', '4'],
  ['5', '%', '5'],
  ['6', '^', '6'],
  ['7', '&', '7'],
  ['8', '*', '8'],
  ['9', '(', '9'],
  ['0', ')', '0'],
  ['-', '_', 'minus'],
  ['=', '+', 'equal'],
  ['[', '{', 'bracket_left'],
  [']', '}', 'bracket_right'],
  ['\\', '|', 'backslash'],
  [';', ':', 'semicolon'],
  ["'", '"', 'apostrophe'],
  [',', '<', 'comma'],
  ['.', '>', 'dot'],
  ['/', '?', 'slash'],
]

const CHARACTERS = new Map<string, Chord>([
  [' ', ['spc']],
  ['\n', ['ret']],
  ['\t', ['tab']],
])
for (const [plain, shifted, qcode] of PAIRS) {
  CHARACTERS.set(plain, [qcode])
  CHARACTERS.set(shifted, ['shift', qcode])
}
for (const letter of 'abcdefghijklmnopqrstuvwxyz') {
  CHARACTERS.set(letter, [letter])
  CHARACTERS.set(letter.toUpperCase(), ['shift', letter])
}

/** The keys of a US keyboard that type a character; `undefined` when none do. */
export function chordOf(character: string): Chord | undefined {
  return CHARACTERS.get(character)
}

const SPECIAL: Record<string, Chord> = {
  enter: ['ret'],
  return: ['ret'],
  esc: ['esc'],
  tab: ['tab'],
  backspace: ['backspace'],
  bs: ['backspace'],
  spacebar: ['spc'],
  delete: ['delete'],
  del: ['delete'],
  insert: ['insert'],
  up: ['up'],
  down: ['down'],
  left: ['left'],
  right: ['right'],
  pageup: ['pgup'],
  pagedown: ['pgdn'],
  home: ['home'],
  end: ['end'],
  killx: ['ctrl', 'alt', 'backspace'],
}
for (let n = 1; n <= 12; n++) {
  SPECIAL[`f${n}`] = [`f${n}`]
  // Virtual terminals: Ctrl besides Alt works on a text screen and under X alike.
  SPECIAL[`vt${n}`] = ['ctrl', 'alt', `f${n}`]
}

/** The keys of `<Name>`, whatever its case; `undefined` for a name that VeeWee did not know. */
export function chordNamed(name: string): Chord | undefined {
  const key = name.toLowerCase()
  return Object.hasOwn(SPECIAL, key) ? SPECIAL[key] : undefined
}

/** How VeeWee's documentation writes the names. */
export const KEY_NAMES: readonly string[] = [
  ...['Enter', 'Return', 'Esc', 'Tab', 'Backspace', 'Bs', 'Spacebar', 'Delete', 'Del', 'Insert'],
  ...['Up', 'Down', 'Left', 'Right', 'PageUp', 'PageDown', 'Home', 'End', 'KillX', 'Wait', 'WaitFor'],
  ...Array.from({ length: 12 }, (_, n) => `F${n + 1}`),
  ...Array.from({ length: 12 }, (_, n) => `VT${n + 1}`),
]
