import { availableParallelism, freemem } from 'node:os'

/** What a computer has. */
export interface Computer {
  cores: number
  /** Bytes that are free. */
  memory: number
}

export function thisComputer(): Computer {
  return { cores: availableParallelism(), memory: freemem() }
}

/** Scenarios for which another machine is worth its boot. */
const WORTH = 4
/** QEMU's own, beside the guest's memory. Bytes. */
const OVERHEAD = 300 * 2 ** 20

/**
 * How many machines run scenarios at the same time: as many as cores and memory allow, and no more than there is work
 * for.
 */
export function machinesFor(
  scenarios: number,
  machine: { cpus: number; memory: number },
  { cores, memory }: Computer,
  asked: number | 'auto' = 'auto',
): number {
  if (asked !== 'auto') return Math.max(1, Math.min(asked, scenarios))
  const byCores = Math.floor(cores / machine.cpus)
  const byMemory = Math.floor((memory * 0.8) / (machine.memory + OVERHEAD))
  return Math.max(1, Math.min(byCores, byMemory, Math.ceil(scenarios / WORTH)))
}

/**
 * Gives each piece of work to whichever worker is free next.
 *
 * @returns results in the order of the work
 */
export async function distribute<W, R>(
  work: readonly W[],
  workers: readonly ((work: W) => Promise<R>)[],
): Promise<R[]> {
  const results: R[] = new Array(work.length)
  const queue = work.entries()
  await Promise.all(
    workers.map(async (worker) => {
      for (const [index, one] of queue) results[index] = await worker(one)
    }),
  )
  return results
}
