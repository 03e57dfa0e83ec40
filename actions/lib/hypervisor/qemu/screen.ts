/** Columns and rows of VGA's text mode. */
const COLUMNS = 80
const ROWS = 25
/** Bytes of one text screen: character and attribute for each place. */
export const TEXT_SCREEN_BYTES = COLUMNS * ROWS * 2
/** Where it lies in a PC's memory. */
export const TEXT_SCREEN_ADDRESS = 0xb8000

/** The upper half of code page 437, the character set of a PC's ROM. */
const UPPER =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ '

/**
 * The text on a VGA text screen, rows without trailing blanks, or undefined when the memory holds no text (a system
 * that has switched to graphics leaves anything there).
 */
export function readTextScreen(memory: Uint8Array): string | undefined {
  let strange = 0
  const rows: string[] = []
  for (let row = 0; row < ROWS; row++) {
    let text = ''
    for (let column = 0; column < COLUMNS; column++) {
      const code = memory[(row * COLUMNS + column) * 2] ?? 0
      if (code !== 0 && code < 0x20) strange++
      text +=
        code < 0x20 || code === 0x7f ? ' ' : code < 0x80 ? String.fromCharCode(code) : UPPER[code - 0x80]!
    }
    rows.push(text.trimEnd())
  }
  const text = rows.join('\n').trimEnd()
  return strange > 20 || text === '' ? undefined : text
}
