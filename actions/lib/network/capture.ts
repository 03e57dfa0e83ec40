import { open } from 'node:fs/promises'
import { isIPv6 } from 'node:net'
import { type Approach, approachIn } from './frame.ts'
import type { Attempt } from './network.ts'
import { HEADER, readPackets } from './pcap.ts'
import { Questions } from './questions.ts'

/** Read at a time. */
const PIECE = 1 << 20

/** Attempts to leave in a capture that QEMU is still writing; each call reads on from where the last one ended. */
export class Capture {
  private readonly path: string
  private readonly who: string
  private readonly isOurs: (address: string) => boolean
  private readonly counted = new Map<string, Attempt>()
  private readonly questions = new Questions()
  private header: Buffer | undefined
  private position = 0
  private reading: Promise<void> = Promise.resolve()

  /**
   * @param who sent the packets in it
   * @param isOurs whether an address belongs to the machines' network
   */
  constructor(path: string, who: string, isOurs: (address: string) => boolean) {
    this.path = path
    this.who = who
    this.isOurs = isOurs
  }

  async attempts(): Promise<Attempt[]> {
    // One at a time: two would count the same packets.
    this.reading = this.reading.catch(() => {}).then(() => this.readOn())
    await this.reading
    const names = this.questions.list()
    return [...this.counted.values(), ...names.map(({ from, name, times }) => dns(from, name, times))]
  }

  private async readOn(): Promise<void> {
    const file = await open(this.path).catch((error: NodeJS.ErrnoException) => {
      // Before QEMU has begun, and when it never did.
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    if (!file) return
    try {
      for (;;) {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(PIECE), 0, PIECE, this.position)
        const { packets, end } = readPackets(buffer.subarray(0, bytesRead), this.header)
        if (end === 0) return
        this.header ??= Buffer.from(buffer.subarray(0, HEADER))
        this.position += end
        for (const packet of packets) this.count(approachIn(packet))
      }
    } finally {
      await file.close()
    }
  }

  private count(approach: Approach | undefined): void {
    if (!approach) return
    const { question } = approach
    if (question) this.questions.add(this.who, question.name, question.type)
    if (this.isOurs(approach.to)) return
    const to = isIPv6(approach.to) ? `[${approach.to}]` : approach.to
    const key = `${to} ${approach.how}`
    const one = this.counted.get(key)
    if (one) one.times++
    else this.counted.set(key, { who: this.who, to, how: approach.how, times: 1 })
  }
}

/** A question as an attempt. */
export function dns(who: string, name: string, times: number): Attempt {
  return { who, to: name, how: 'dns', times }
}
