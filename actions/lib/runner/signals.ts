import { setMaxListeners } from 'node:events'

/** One abort signal for Ctrl-C, a closing terminal and the runner's cancellation. */
export interface Interruption extends Disposable {
  readonly signal: AbortSignal
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * The runner sends SIGINT, SIGTERM 7.5 s later, and kills 2.5 s after that: the first begins the clean-up, the
 * second must not cut it short. A person who presses Ctrl-C again means it: we go at once, and the kernel ends
 * what we started (lib/process).
 */
export function interruption(): Interruption {
  const controller = new AbortController()
  manyMayListen(controller.signal)
  let began = 0
  const stop = (name: NodeJS.Signals) => {
    const now = performance.now()
    // Wrappers such as npm pass on a Ctrl-C that the terminal has already given us.
    if (controller.signal.aborted && name === 'SIGINT' && now - began > 500) process.exit(130)
    if (!controller.signal.aborted) began = now
    controller.abort()
  }
  for (const name of signals) process.on(name, stop)
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const name of signals) process.off(name, stop)
    },
  }
}

/** Every download and every file that is hashed listens: Node 20 takes more than ten for a leak, and says so on stderr. */
export function manyMayListen(signal: AbortSignal): void {
  setMaxListeners(0, signal)
}
