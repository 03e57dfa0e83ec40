import type { Chord } from './keys.ts'

/** A machine's own keyboard and screen, as a person before it has them. */
export interface Console {
  /** Strikes one chord. Resolves when the machine has taken it in, so that no key is lost on its way. */
  press(chord: Chord): Promise<void>
  /** The text screen; undefined while the machine shows graphics, or where the driver cannot read it. */
  text(): Promise<TextScreen | undefined>
  /** Writes the screen as PNG. */
  screenshot(path: string): Promise<void>
}

/** What a PC's text mode shows. */
export interface TextScreen {
  /** All of one length, padded with blanks. */
  rows: readonly string[]
  /** Where the next character will appear; 0-based. */
  cursor: { row: number; column: number }
}

/** Something typed, or waited for in between. */
export type KeyAction =
  /** One stroke. `shown` is the character, or the name in angle brackets. */
  | { readonly kind: 'press'; readonly chord: Chord; readonly shown: string }
  | { readonly kind: 'wait'; readonly seconds: number }
  /** Until the screen shows the text; `seconds` is how long at most. */
  | { readonly kind: 'wait-for'; readonly text: string; readonly seconds: number }
  /** The end of one string of a sequence: VeeWee paused for half a second there. */
  | { readonly kind: 'pause' }
