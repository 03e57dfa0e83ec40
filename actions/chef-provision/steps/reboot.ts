import { setTimeout as pause } from 'node:timers/promises'
import { ApplianceError } from '../../lib/errors/error.ts'
import type { Guest } from '../../lib/guest/guest.ts'
import { formatDuration } from '../../lib/units/duration.ts'
import type { Provisioning, Runner } from '../provisioning.ts'

const PATIENCE = 10 * 60_000

/** Restarts the guest as a person would, and waits until it answers as another boot than before. */
export const reboot: Runner<'reboot'> = async ({ title, timeout = PATIENCE }, provisioning) => {
  const { work, guest } = provisioning
  const deadline = performance.now() + timeout
  const before = await bootId(guest)
  // It may answer, hang up, or just be gone.
  await guest
    .run('systemctl reboot', { allowFailure: true, timeout: 60_000, signal: work.signal })
    .catch(() => work.signal.throwIfAborted())
  provisioning.guest = await anotherBoot(before, deadline, title, timeout, provisioning)
  await provisioning.prepare(provisioning.guest)
  return undefined
}

async function anotherBoot(
  before: string,
  deadline: number,
  title: string,
  timeout: number,
  { machine, work }: Provisioning,
): Promise<Guest> {
  for (;;) {
    const left = deadline - performance.now()
    if (left <= 0)
      throw new ApplianceError(
        'timeout',
        `${title}: the guest answers, but has not restarted within ${formatDuration(timeout)}`,
        { evidence: machine.evidence },
      )
    const guest = await machine.guest(work.signal, left)
    if ((await bootId(guest).catch(() => before)) !== before) return guest
    work.signal.throwIfAborted()
    await guest[Symbol.asyncDispose]()
    await pause(500, undefined, { signal: work.signal })
  }
}

/** @see random(4): differs with every boot */
async function bootId(guest: Guest): Promise<string> {
  const { stdout } = await guest.run('cat /proc/sys/kernel/random/boot_id', { timeout: 30_000 })
  return stdout.trim()
}
