import type { TextScreen } from '../../console/console.ts'

/** Columns and rows of VGA's text mode. */
const COLUMNS = 80
const ROWS = 25

/** A PC's text memory: where it lies, and how much there is of it, in bytes. */
export const TEXT_MEMORY = { address: 0xb8000, bytes: 0x8000 }

/** The upper half of code page 437, the character set of a PC's ROM. */
const UPPER =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ '

/**
 * The text that a VGA adapter shows: two bytes a place, character and attribute, of which `start` (in places) is the
 * first. Systems scroll by moving it, and the memory is a ring.
 *
 * @param cursor in places, from the beginning of the memory
 */
export function readTextScreen(memory: Uint8Array, start: number, cursor: number): TextScreen {
  const places = memory.length / 2
  const rows = Array.from({ length: ROWS }, (_, row) =>
    Array.from({ length: COLUMNS }, (_, column) =>
      character(memory[((start + row * COLUMNS + column) % places) * 2]!),
    ).join(''),
  )
  const at = (cursor - start + places) % places
  const last = ROWS * COLUMNS - 1
  const shown = Math.min(at, last)
  return { rows, cursor: { row: Math.floor(shown / COLUMNS), column: shown % COLUMNS } }
}

function character(code: number): string {
  if (code < 0x20 || code === 0x7f) return ' '
  return code < 0x80 ? String.fromCharCode(code) : UPPER[code - 0x80]!
}
