import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ending, launch } from './command.ts'

/**
 * What a program makes of its input, piece by piece: `zstd -dc`. Whoever stops taking ends the program.
 *
 * @throws when the program fails; its complaint is in the message
 */
export async function* filter(
  command: string,
  args: readonly string[],
  input: AsyncIterable<Buffer>,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const child = launch(command, args, {}, ['pipe', 'pipe', 'pipe'])
  let stderr = ''
  child.stderr!.on('data', (piece: Buffer) => {
    stderr = (stderr + piece.toString()).slice(-4096)
  })
  const stop = () => void child.kill('SIGKILL')
  signal.addEventListener('abort', stop, { once: true })
  const ended = ending(child, command, () => stderr)
  ended.catch(() => {})
  // A program that ends early closes its input; its status tells why.
  const fed = pipeline(Readable.from(input), child.stdin!).catch(() => {})
  try {
    yield* child.stdout! as AsyncIterable<Buffer>
    const status = await ended
    signal.throwIfAborted()
    if (status !== 0)
      throw new Error(`${command} failed (${status}): ${stderr.trim().split('\n').at(-1) ?? ''}`)
  } finally {
    signal.removeEventListener('abort', stop)
    child.kill('SIGKILL')
    child.stdin!.destroy()
    await Promise.all([ended.catch(() => {}), fed])
  }
}
