import type { Guest } from './guest.ts'

/**
 * A guest whose connection is still being made: whatever is asked of it waits for that, and fails as that does.
 *
 * @param connect makes the connection; its signal aborts when nobody wants the guest any more
 */
export function comingGuest(connect: (signal: AbortSignal) => Promise<Guest>): Guest {
  const unwanted = new AbortController()
  const guest = connect(unwanted.signal)
  guest.catch(() => {}) // told to whoever asks for something
  return {
    run: async (...args) => await (await guest).run(...args),
    terminal: async (...args) => await (await guest).terminal(...args),
    upload: async (...args) => await (await guest).upload(...args),
    download: async (...args) => await (await guest).download(...args),
    async [Symbol.asyncDispose]() {
      unwanted.abort()
      await (await guest.catch(() => undefined))?.[Symbol.asyncDispose]()
    },
  }
}
