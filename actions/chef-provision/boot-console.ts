import { readFile, writeFile } from 'node:fs/promises'

/** Bytes by which the end of an earlier boot is known again in a log that was shortened. */
const KNOWN_BY = 1024
/** How BoundedLog ends the line in place of what is left out. */
const LEFT_OUT = ' left out here]\n'
/** Of what was said before a layer was made so much is kept with it, bytes. */
const KEPT = 1 << 20

/**
 * What the serial console has said since the steps began, or since the last of them that restarted the guest. A run
 * that goes on from a layer begins with what had been said when that was made, whether the machine's memory is still
 * there or it is booted again: so the next step finds what it would have found without a break.
 */
export class BootConsole {
  readonly #serial: string
  #earlier: Buffer
  /** Where the present boot begins in the serial log, and what comes before it. */
  #from = 0
  #before: Buffer = Buffer.alloc(0)

  private constructor(serial: string, earlier: Buffer) {
    this.#serial = serial
    this.#earlier = earlier
  }

  /**
   * @param serial the machine's log, which begins anew with each process of its hypervisor (see BoundedLog)
   * @param kept the file that {@link keep} wrote; undefined: there is no layer
   */
  static async after(serial: string, kept: string | undefined): Promise<BootConsole> {
    return new BootConsole(serial, kept === undefined ? Buffer.alloc(0) : await bytesOf(kept))
  }

  async text(): Promise<string> {
    return String(await this.#said())
  }

  /** The guest is about to be restarted: what has been said does not count any more. */
  async restarts(): Promise<void> {
    const said = await bytesOf(this.#serial)
    this.#earlier = Buffer.alloc(0)
    this.#from = said.length
    this.#before = said.subarray(-KNOWN_BY)
  }

  async keep(path: string): Promise<void> {
    await writeFile(path, (await this.#said()).subarray(-KEPT))
  }

  async #said(): Promise<Buffer> {
    const log = await bytesOf(this.#serial)
    return Buffer.concat([this.#earlier, log.subarray(this.#beginning(log))])
  }

  #beginning(log: Buffer): number {
    const known = this.#before
    if (log.subarray(this.#from - known.length, this.#from).equals(known)) return this.#from
    // Its middle was left out: the boot's beginning is further up now, or gone with everything before it.
    const at = log.lastIndexOf(known)
    if (at >= 0) return at + known.length
    return log.lastIndexOf(LEFT_OUT) + LEFT_OUT.length
  }
}

async function bytesOf(path: string): Promise<Buffer> {
  return await readFile(path).catch(() => Buffer.alloc(0))
}
