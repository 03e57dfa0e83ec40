import { setTimeout as pause } from 'node:timers/promises'
import { ApplianceError } from '../errors/error.ts'
import type { Guest } from '../guest/guest.ts'
import { formatDuration } from '../units/duration.ts'
import type { Machine } from './hypervisor.ts'

const MINUTE = 60_000

/**
 * Restarts the guest of a machine as a person would.
 *
 * @param guest its connection is ended
 * @param title what an error begins with
 * @param timeout ms
 * @returns the guest, as another boot than before
 * @throws ApplianceError `timeout`
 */
export async function restart(
  machine: Machine,
  guest: Guest,
  { title, signal, timeout = 10 * MINUTE }: { title: string; signal: AbortSignal; timeout?: number },
): Promise<Guest> {
  const deadline = performance.now() + timeout
  const before = await goingDown(machine, guest, signal)
  for (;;) {
    const left = deadline - performance.now()
    if (left <= 0)
      throw new ApplianceError(
        'timeout',
        `${title}: the guest answers, but has not restarted within ${formatDuration(timeout)}`,
        { evidence: machine.evidence },
      )
    const next = await machine.guest(signal, left)
    if ((await bootId(next, signal).catch(() => before)) !== before) return next
    signal.throwIfAborted()
    await next[Symbol.asyncDispose]()
    await pause(500, undefined, { signal })
  }
}

/** @returns the boot that it was */
async function goingDown(machine: Machine, guest: Guest, signal: AbortSignal): Promise<string> {
  await using asked = guest
  const before = await bootId(asked, signal)
  machine.restarts?.()
  // It may answer, hang up, or just be gone.
  await asked
    .run('systemctl reboot', { allowFailure: true, timeout: MINUTE, signal })
    .catch(() => signal.throwIfAborted())
  return before
}

/** @see random(4): differs with every boot */
async function bootId(guest: Guest, signal: AbortSignal): Promise<string> {
  const limit = { signal, timeout: MINUTE / 2 }
  return (await guest.run('cat /proc/sys/kernel/random/boot_id', limit)).stdout.trim()
}
