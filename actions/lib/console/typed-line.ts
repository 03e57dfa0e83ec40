import { setTimeout as pause } from 'node:timers/promises'
import { ApplianceError } from '../errors/error.ts'
import type { Console } from './console.ts'
import { type Chord, chordOf } from './keys.ts'
import { beforeCursor } from './screen.ts'

/** How long the first echo may take before it counts as a place that shows nothing: a password, a menu. */
const FIRST_ECHO = 3000
/** A screen that has not changed for so long will not, so that what it lacks was lost. */
const QUIET = 2000
/** How much of what stood before the line is looked at, to see where it begins. */
const CONTEXT = 24
/** How often one line is mended before that is given up. */
const MOST_REPAIRS = 5
/** Looked at after so many characters: what a BIOS holds for a program that is busy. */
const BATCH = 12

/**
 * A line being typed, read back from a text screen: what the guest dropped is typed again, what came twice is erased.
 * Where nothing is echoed, or nothing can be read, it is typed and hoped for.
 */
export class TypedLine {
  readonly #console: Console
  readonly #signal: AbortSignal
  #text = ''
  #before = ''
  /** undefined: not known yet. */
  #echoes: boolean | undefined

  constructor(console: Console, signal: AbortSignal) {
    this.#console = console
    this.#signal = signal
  }

  /** Types one more character. */
  async type(character: string, chord: Chord): Promise<void> {
    if (this.#text === '') await this.#begin()
    await this.#press(chord)
    this.#text += character
    if (this.#echoes === undefined) this.#echoes = await this.#echoed()
    else if (this.#text.length % BATCH === 0) await this.#verify()
  }

  /**
   * Makes sure of what was typed; afterwards another line begins.
   *
   * @throws ApplianceError `command-failed` when the guest loses keys however often they are typed
   */
  async end(): Promise<void> {
    await this.#verify()
    this.#text = ''
    this.#echoes = undefined
  }

  async #begin(): Promise<void> {
    let last: string | undefined
    // Until it stands still: the answer to what was typed before may be on its way.
    for (let tries = 0; tries < 20; tries++) {
      const now = await this.#shown()
      if (now === undefined || now === last) break
      last = now
      await pause(60)
    }
    this.#before = (last ?? '').slice(-CONTEXT)
  }

  async #press(chord: Chord): Promise<void> {
    this.#signal.throwIfAborted()
    await this.#console.press(chord)
  }

  /** What stands before the cursor; undefined where there is no text to read. */
  async #shown(): Promise<string | undefined> {
    this.#signal.throwIfAborted()
    const screen = await this.#console.text()
    return screen && beforeCursor(screen)
  }

  async #echoed(): Promise<boolean> {
    const deadline = performance.now() + FIRST_ECHO
    do {
      const shown = await this.#shown()
      if (shown === undefined) return false
      if (this.#arrived(shown) === this.#text) return true
      await pause(20)
    } while (performance.now() < deadline)
    return false
  }

  /** What of the line is on the screen; undefined where its beginning is not found. */
  #arrived(shown: string): string | undefined {
    if (shown.endsWith(this.#before + this.#text)) return this.#text
    if (this.#before === '') return shown
    const from = shown.length - this.#text.length - CONTEXT
    const window = shown.slice(Math.max(0, from - 2 * BATCH))
    const at = window.lastIndexOf(this.#before)
    return at < 0 ? undefined : window.slice(at + this.#before.length)
  }

  async #verify(): Promise<void> {
    if (this.#text === '' || !this.#echoes) return
    for (let repairs = 0; ; repairs++) {
      const arrived = await this.#settled()
      if (arrived === undefined) this.#echoes = false // something else is writing there
      if (arrived === undefined || arrived === this.#text) return
      if (repairs === MOST_REPAIRS)
        throw new ApplianceError(
          'command-failed',
          `the machine loses keys: ${JSON.stringify(this.#text)} was typed, and its screen shows ${JSON.stringify(arrived)}`,
          { hint: 'Wait for the prompt before typing: <WaitFor:text> in boot_cmd_sequence.' },
        )
      await this.#repair(arrived)
    }
  }

  /** What has arrived, once it is all there or nothing more comes. */
  async #settled(): Promise<string | undefined> {
    let last: string | undefined
    for (let since = performance.now(); ; ) {
      const shown = await this.#shown()
      if (shown === undefined) return undefined
      const arrived = this.#arrived(shown) ?? this.#wrapped(shown)
      if (arrived === this.#text) return arrived
      if (this.#wrapped(shown) === this.#text) return this.#text
      if (arrived !== last) since = performance.now()
      else if (performance.now() - since > QUIET) return arrived
      last = arrived
      await pause(30)
    }
  }

  /** A terminal that has filled its last column shows the cursor on the last character until another one comes. */
  #wrapped(shown: string): string | undefined {
    return (shown.length + 1) % 80 === 0 ? this.#arrived(`${shown}${this.#text.at(-1)}`) : undefined
  }

  async #repair(arrived: string): Promise<void> {
    let good = 0
    while (good < arrived.length && arrived[good] === this.#text[good]) good++
    for (let count = arrived.length - good; count > 0; count--) await this.#press(['backspace'])
    for (const character of this.#text.slice(good)) await this.#press(chordOf(character)!)
  }
}
