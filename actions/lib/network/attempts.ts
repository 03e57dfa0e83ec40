import { hostname } from 'node:os'
import { harmlessReason } from './harmless.ts'
import type { Attempt, Escape, MachineNetwork } from './network.ts'

/** Attempts of the same kind as one, with what is known about each, sorted. */
export function judged(attempts: readonly Attempt[], computer = hostname()): Escape[] {
  const found = new Map<string, Escape>()
  for (const attempt of attempts) {
    const one = found.get(keyOf(attempt))
    if (one) one.times += attempt.times
    else {
      const harmless = harmlessReason(attempt, computer)
      found.set(keyOf(attempt), { ...attempt, ...(harmless === undefined ? {} : { harmless }) })
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one)
}

/** Those that somebody should do something about. */
export function grave(escapes: readonly Escape[]): Escape[] {
  return escapes.filter(({ harmless }) => harmless === undefined)
}

/** `machine provision: deb.debian.org (dns), 2 ×, during shell prepare.sh`; what a guest chose cannot break the line. */
export function escapeLine({ who, to, how, times, during, harmless }: Escape): string {
  const when = during && during.length > 0 ? `, during ${during.join(', ')}` : ''
  const why = harmless === undefined ? '' : `: ${harmless}`
  return `${who}: ${to} (${how}), ${times} ×${when}${why}`.replace(/\p{C}/gu, '\u{FFFD}')
}

/** A network that also knows what was going on when somebody tried to leave. */
export interface WatchedNetwork extends MachineNetwork {
  /** What is tried while `work` goes on is tried during `title`; within another, the inner one counts. */
  during<T>(title: string, work: () => Promise<T>): Promise<T>
}

/** Looks at the network whenever something begins or ends: what is new then happened in between. */
export function watched(network: MachineNetwork): WatchedNetwork {
  const open: string[] = []
  const seen = new Map<string, { times: number; during: string[] }>()
  const look = async (): Promise<Escape[]> => {
    // What is open now, before we wait for the answer.
    const title = open.at(-1)
    const escapes = await network.escapes()
    return escapes.map((one) => {
      const before = seen.get(keyOf(one)) ?? { times: 0, during: [] }
      const during =
        title !== undefined && one.times > before.times && !before.during.includes(title)
          ? [...before.during, title]
          : before.during
      seen.set(keyOf(one), { times: one.times, during })
      return during.length > 0 ? { ...one, during } : one
    })
  }
  return {
    kind: network.kind,
    mirrorUrl: network.mirrorUrl,
    ...(network.hostAddress === undefined ? {} : { hostAddress: network.hostAddress }),
    ...(network.welcome === undefined ? {} : { welcome: network.welcome }),
    plug: (machine) => network.plug(machine),
    escapes: look,
    async during(title, work) {
      await look()
      open.push(title)
      try {
        return await work()
      } finally {
        await look().catch(() => {})
        open.splice(open.lastIndexOf(title), 1)
      }
    },
    [Symbol.asyncDispose]: () => network[Symbol.asyncDispose](),
  }
}

function keyOf({ who, to, how }: Attempt): string {
  return `${who}\n${to}\n${how}`
}
