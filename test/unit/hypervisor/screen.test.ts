import { expect, test } from '@jest/globals'
import { readTextScreen, TEXT_SCREEN_BYTES } from '../../../actions/lib/hypervisor/qemu/screen.ts'

/** VGA text memory: character, attribute, character, attribute … */
function memory(rows: readonly (readonly number[])[]): Uint8Array {
  const bytes = new Uint8Array(TEXT_SCREEN_BYTES)
  for (let at = 0; at < bytes.length; at += 2) bytes.set([0x20, 0x07], at)
  for (const [row, codes] of rows.entries())
    for (const [column, code] of codes.entries()) bytes[(row * 80 + column) * 2] = code
  return bytes
}
const codes = (text: string) => [...text].map((character) => character.charCodeAt(0))

test('text is read by rows, without blanks at their ends', () => {
  expect(readTextScreen(memory([codes('Debian GNU/Linux'), [], codes('login: ')]))).toBe(
    'Debian GNU/Linux\n\nlogin:',
  )
})

test('frames of menus are those of code page 437', () => {
  expect(
    readTextScreen(
      memory([
        [0xda, 0xc4, 0xbf],
        [0xb3, 0x41, 0xb3],
        [0xc0, 0xc4, 0xd9],
        [0xe1, 0xfb],
      ]),
    ),
  ).toBe('┌─┐\n│A│\n└─┘\nß√')
})

test('a cleared screen and the leftovers of graphics are no text', () => {
  expect(readTextScreen(memory([]))).toBeUndefined()
  expect(readTextScreen(new Uint8Array(TEXT_SCREEN_BYTES).fill(0x03))).toBeUndefined()
})
