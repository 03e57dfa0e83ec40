import { expect, test } from '@jest/globals'
import { readTextScreen, TEXT_MEMORY } from '../../../actions/lib/hypervisor/qemu/screen.ts'

/** VGA text memory: character, attribute, character, attribute … */
function memory(rows: readonly (readonly number[])[], start = 0): Uint8Array {
  const bytes = new Uint8Array(TEXT_MEMORY.bytes)
  for (let at = 0; at < bytes.length; at += 2) bytes.set([0x20, 0x07], at)
  for (const [row, codes] of rows.entries())
    for (const [column, code] of codes.entries())
      bytes[((start + row * 80 + column) * 2) % bytes.length] = code
  return bytes
}
const codes = (text: string) => [...text].map((character) => character.charCodeAt(0))
const shown = (bytes: Uint8Array, start = 0) =>
  readTextScreen(bytes, start, start)
    .rows.map((row) => row.trimEnd())
    .join('\n')
    .trimEnd()

test('text is read by rows of 80, 25 of them', () => {
  const bytes = memory([codes('Debian GNU/Linux'), [], codes('login: ')])
  expect(shown(bytes)).toBe('Debian GNU/Linux\n\nlogin:')
  const { rows } = readTextScreen(bytes, 0, 0)
  expect([rows.length, ...new Set(rows.map((row) => row.length))]).toEqual([25, 80])
})

test('frames of menus are those of code page 437', () => {
  expect(
    shown(
      memory([
        [0xda, 0xc4, 0xbf],
        [0xb3, 0x41, 0xb3],
        [0xc0, 0xc4, 0xd9],
        [0xe1, 0xfb],
      ]),
    ),
  ).toBe('┌─┐\n│A│\n└─┘\nß√')
})

test('a scrolled screen begins where the adapter says, and goes on at the beginning of the memory', () => {
  const places = TEXT_MEMORY.bytes / 2
  const start = places - 2 * 80
  const bytes = memory([codes('first'), codes('second'), codes('third')], start)
  expect(shown(bytes, start)).toBe('first\nsecond\nthird')
  expect(readTextScreen(bytes, start, 85).cursor).toEqual({ row: 3, column: 5 })
})
