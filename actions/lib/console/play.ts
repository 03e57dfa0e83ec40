import { setTimeout as pause } from 'node:timers/promises'
import type { Console, KeyAction } from './console.ts'
import { TypedLine } from './typed-line.ts'
import { type Watching, waitForText } from './waiting.ts'

/** After a key that no line is made of: a menu moves, a screen is drawn anew. Milliseconds. */
const AFTER_SPECIAL = 100
/** Between the strings of a sequence; VeeWee paused as long. */
const BETWEEN_STRINGS = 500

/**
 * Types a sequence, waiting where it says so. Lines are read back from text screens before the key that ends them is
 * struck.
 *
 * @throws ApplianceError `timeout` when an awaited text does not appear, `command-failed` when keys are lost
 */
export async function playKeys(
  console: Console,
  actions: readonly KeyAction[],
  watching: Watching,
): Promise<void> {
  const { signal, log } = watching
  const line = new TypedLine(console, signal)
  for (const action of actions) {
    signal.throwIfAborted()
    if (action.kind === 'press' && action.shown.length === 1 && action.shown >= ' ') {
      await line.type(action.shown, action.chord)
      continue
    }
    await line.end()
    switch (action.kind) {
      case 'press':
        await console.press(action.chord)
        await pause(AFTER_SPECIAL, undefined, { signal })
        break
      case 'pause':
        await pause(BETWEEN_STRINGS, undefined, { signal })
        break
      case 'wait':
        log.info(`waiting ${action.seconds} s`)
        await pause(action.seconds * 1000, undefined, { signal })
        break
      case 'wait-for':
        log.info(`waiting for ${JSON.stringify(action.text)} on the screen`)
        await waitForText(console, action.text, action.seconds, watching)
        break
    }
  }
  await line.end()
}
