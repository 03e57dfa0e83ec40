import { closeSync, constants, openSync, readSync } from 'node:fs'
import { Socket } from 'node:net'
import { BoundedLog } from '../../files/bounded-log.ts'
import { run } from '../../process/command.ts'

const READ = constants.O_RDWR | constants.O_NONBLOCK
/** Bytes that a pipe holds, unless it is asked for more (pipe(7), "Pipe capacity"). */
const CAPACITY = 64 << 10

/** What a machine says on its serial console, across the QEMUs that it is in one after the other. */
export interface Serial extends AsyncDisposable {
  /** Bytes that are in its log no more. */
  readonly leftOut: number
}

/**
 * Keeps what is written to a named pipe, up to what was in it when that ends.
 *
 * @param pipe is made
 * @param log is begun anew
 * @param lost told why, where it cannot be kept any more
 * @see fifo(7): opened for reading and writing, it neither waits for a writer nor ends with one
 */
export async function keepSerial(pipe: string, log: string, lost: (why: string) => void): Promise<Serial> {
  await run('mkfifo', ['--mode=600', pipe])
  const kept = await BoundedLog.begin(log)
  const said = new Socket({ fd: openSync(pipe, READ), readable: true, writable: false })
  // A socket's end is the end of its descriptor; what is in the pipe then is read by another.
  const rest = openSync(pipe, READ)
  said.on('error', () => {})
  kept.keep(said, lost)
  return {
    get leftOut() {
      return kept.leftOut
    },
    async [Symbol.asyncDispose]() {
      said.unpipe(kept)
      if (!kept.errored) for (const piece of [said.read(), atOnce(rest)]) if (piece) kept.write(piece)
      said.destroy()
      closeSync(rest)
      await kept[Symbol.asyncDispose]()
    },
  }
}

/** What a pipe holds; undefined where that is nothing. */
function atOnce(fd: number): Buffer | undefined {
  const bytes = Buffer.alloc(CAPACITY)
  try {
    return bytes.subarray(0, readSync(fd, bytes))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return undefined
    throw error
  }
}
