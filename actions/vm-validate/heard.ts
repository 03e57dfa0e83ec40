import type { Guest } from '../lib/guest/guest.ts'

/** Characters that are kept of what is heard: the end. */
const KEPT = 4 << 20

/** What was asked of a guest, and what it has said so far: also where it never came to an end. */
export interface Heard {
  readonly guest: Guest
  /** Adds what came in another way. */
  hear(text: string): void
  /** `$ command`, then what it printed; one after the other. Empty when nothing was asked. */
  text(): string
}

/** Listens to everything that is run in a guest. */
export function listening(guest: Guest): Heard {
  let text = ''
  const hear = (more: string) => {
    text += more
    // Cut now and then: a guest may print gigabytes.
    if (text.length > 2 * KEPT) text = text.slice(-KEPT)
  }
  const asked = (commandLine: string) =>
    hear(`${text === '' || text.endsWith('\n') ? '' : '\n'}$ ${commandLine}\n`)
  return {
    hear,
    text: () => text.slice(-KEPT),
    guest: {
      run(commandLine, options = {}) {
        asked(commandLine)
        return guest.run(commandLine, {
          ...options,
          onOutput(more, stream) {
            hear(more)
            options.onOutput?.(more, stream)
          },
        })
      },
      async terminal(commandLine, options) {
        asked(commandLine)
        const terminal = await guest.terminal(commandLine, options)
        return {
          onText: (other) =>
            terminal.onText((more) => {
              hear(more)
              other(more)
            }),
          type: (keys) => terminal.type(keys),
          ended: terminal.ended,
          [Symbol.asyncDispose]: () => terminal[Symbol.asyncDispose](),
        }
      },
      upload: (...args) => guest.upload(...args),
      download: (...args) => guest.download(...args),
      [Symbol.asyncDispose]: () => guest[Symbol.asyncDispose](),
    },
  }
}
