import { spawn } from 'node:child_process'

/** A program that goes on when we end. */
export interface Detached {
  kill(): void
  ended(): boolean
}

/**
 * Starts a program that, unlike all others, outlives us: in a session of its own, its output to an open file. It must
 * see to its own end.
 */
export function detach(
  command: string,
  args: readonly string[],
  env: Record<string, string | undefined>,
  output: number,
): Detached {
  const child = spawn(command, args, {
    detached: true,
    env: { ...process.env, LC_ALL: 'C.UTF-8', ...env },
    stdio: ['ignore', output, output],
  })
  let over = false
  child.once('error', () => (over = true)).once('exit', () => (over = true))
  child.unref()
  return { kill: () => void child.kill('SIGTERM'), ended: () => over }
}
