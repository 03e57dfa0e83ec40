import { readFile, readlink } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { toApplianceError } from '../lib/errors/error.ts'
import { InputError } from '../lib/errors/fault.ts'
import { quote } from '../lib/guest/quote.ts'
import type { Machine } from '../lib/hypervisor/hypervisor.ts'
import type { StageWork } from '../lib/stage/stage.ts'
import { formatDuration, parseDuration } from '../lib/units/duration.ts'

/**
 * How long a machine with a failed step is kept, in ms; 0: until the command is interrupted; undefined: not at all.
 *
 * @throws InputError
 */
export function keptFor(inputs: {
  'keep-on-failure': boolean
  'debug-on-error': string | undefined
}): number | undefined {
  const { 'keep-on-failure': keep, 'debug-on-error': word } = inputs
  if (word === undefined) return keep ? 0 : undefined
  const time = /^\d+$/.test(word) ? Number(word) * 60_000 : parseDuration(word)
  if (time) return time
  throw new InputError([
    {
      message: `debug-on-error: expected minutes, such as 30, or a time such as 90 min; got ${JSON.stringify(word)}`,
    },
  ])
}

/** Leaves a machine running in which a step failed, and says how to look around in it. */
export async function leaveRunning(
  machine: Machine,
  thrown: unknown,
  time: number,
  key: string,
  { log, signal, network }: Pick<StageWork, 'log' | 'signal' | 'network'>,
): Promise<void> {
  if (signal.aborted) return
  const endpoint = await machine.reach(22)
  log.warn(toApplianceError(thrown).message)
  log.warn(
    time === 0
      ? 'the machine is left running until this command is interrupted; to look around in it:'
      : `the machine is left running for ${formatDuration(time)}; to look around in it:`,
  )
  const inside = network().kind === 'private' ? await nsenter() : []
  const ssh = ['ssh', '-F', 'none', '-i', key, '-p', String(endpoint.port)]
  const trust = [
    '-o',
    'StrictHostKeyChecking=no',
    '-o',
    'UserKnownHostsFile=/dev/null',
    `root@${endpoint.host}`,
  ]
  log.warn(`  ${[...inside, ...ssh, ...trust].map(quote).join(' ')}`)
  const wait = time === 0 ? 2 ** 31 - 1 : time
  await pause(wait, undefined, { signal }).catch(() => {})
}

/** Into our network, and, where it was made by somebody who is not root, into his user namespace. @see nsenter(1) */
async function nsenter(): Promise<string[]> {
  // The kernel shows our process's number as others see it, since /proc is theirs.
  const pid = await readlink('/proc/self')
  const everyone = /^\s*0\s+0\s+4294967295\s*$/.test(await readFile('/proc/self/uid_map', 'utf8'))
  const user = everyone ? [] : ['--user', '--preserve-credentials']
  return ['nsenter', '--target', pid, ...user, '--net', '--']
}
