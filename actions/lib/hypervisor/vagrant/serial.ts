import { constants, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { BoundedLog } from '../../files/bounded-log.ts'
import { run } from '../../process/command.ts'

/** What a machine says on its serial console, across the QEMUs that it is in one after the other. */
export interface Serial extends AsyncDisposable {
  /** Bytes that are in its log no more. */
  readonly leftOut: number
}

/**
 * Keeps what is written to a named pipe.
 *
 * @param pipe is made
 * @param log is begun anew
 * @see fifo(7): opened for reading and writing, it neither waits for a writer nor ends with one
 */
export async function keepSerial(pipe: string, log: string): Promise<Serial> {
  await run('mkfifo', ['--mode=600', pipe])
  const kept = await BoundedLog.begin(log)
  const fd = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK)
  const said = new Socket({ fd, readable: true, writable: false })
  // Where nothing can be written any more, the guest is not to wait for that.
  kept.on('error', () => said.resume())
  said.on('error', () => {})
  said.pipe(kept)
  return {
    get leftOut() {
      return kept.leftOut
    },
    async [Symbol.asyncDispose]() {
      said.destroy()
      await kept[Symbol.asyncDispose]()
    },
  }
}
