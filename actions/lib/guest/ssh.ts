import { randomBytes } from 'node:crypto'
import { ApplianceError } from '../errors/error.ts'
import { ending, launch } from '../process/command.ts'
import { formatDuration } from '../units/duration.ts'
import { type Connection, connectBy, type SshTarget } from './connection.ts'
import { downloadPath, uploadPath } from './copy.ts'
import type { Guest, GuestResult, GuestRunOptions } from './guest.ts'
import { Announcement, script } from './script.ts'
import { terminalOver } from './terminal.ts'

/** What is surely kept of a command's output, each of stdout and stderr: its end, in characters. */
const KEPT = 16 << 20

/** Connects as soon as the guest lets us; `no-answer` when it has not by `deadline` (of `performance.now()`). */
export async function openGuest(target: SshTarget, deadline: number, signal: AbortSignal): Promise<Guest> {
  return guestOver(await connectBy(target, deadline, signal))
}

/** A guest at the other end of a connection. */
export function guestOver(connection: Connection): Guest {
  const guest: Guest = {
    run: (commandLine, options = {}) => runOver(connection, commandLine, options),
    terminal: (commandLine, options = {}) => terminalOver(connection, guest, commandLine, options),
    upload: (from, to, options = {}) => uploadPath(connection, from, to, options),
    download: (from, to, signal) => downloadPath(connection, guest, from, to, signal),
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  }
  return guest
}

async function runOver(
  connection: Connection,
  commandLine: string,
  options: GuestRunOptions,
): Promise<GuestResult> {
  const { env, as, input, timeout, signal, onOutput, title = commandLine } = options
  signal?.throwIfAborted()
  const token = `appliance-${randomBytes(6).toString('hex')}`
  const wrapped = script(commandLine, {
    env: env ?? {},
    ...(as ? { as } : {}),
    loggedInAs: connection.user,
    token,
  })
  const announcement = new Announcement(token)
  const child = launch('ssh', [...connection.args, wrapped.remote], {}, ['pipe', 'pipe', 'pipe'])
  const result = { stdout: '', stderr: '' }
  const say = (text: string, stream: 'stdout' | 'stderr') => {
    if (text === '') return
    const all = result[stream] + text
    result[stream] = all.length > 2 * KEPT ? all.slice(-KEPT) : all
    onOutput?.(text, stream)
  }
  child.stdout!.setEncoding('utf8').on('data', (text: string) => say(text, 'stdout'))
  child.stderr!.setEncoding('utf8').on('data', (text: string) => say(announcement.take(text), 'stderr'))
  child.stdin!.on('error', () => {}) // a command may end without reading all of its input
  child.stdin!.write(wrapped.text)
  child.stdin!.end(input ?? '')

  let timedOut = false
  const stop = () => {
    void killGroup(connection, announcement.group)
    child.kill('SIGTERM')
  }
  const timer = timeout
    ? setTimeout(() => {
        timedOut = true
        stop()
      }, timeout)
    : undefined
  signal?.addEventListener('abort', stop, { once: true })
  let status: number
  try {
    status = await ending(child, 'ssh')
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', stop)
  }
  say(announcement.rest(), 'stderr')
  signal?.throwIfAborted()
  const what = shortened(title)
  if (timedOut)
    throw new ApplianceError(
      'timeout',
      `in the guest, ${what} took longer than ${formatDuration(timeout!)}${tail(result)}`,
    )
  if (status === 255 && !(await answers(connection)))
    throw new ApplianceError('no-answer', `the guest stopped answering during ${what}${tail(result)}`)
  if (status !== 0 && !options.allowFailure)
    throw new ApplianceError('guest-failed', `in the guest, ${what} failed (${status})${tail(result)}`)
  return { status, ...result }
}

/** ssh's own failures and a command's status 255 look alike: ask the guest. */
async function answers(connection: Connection): Promise<boolean> {
  if (!connection.alive()) return false
  const child = launch('ssh', [...connection.args, 'exit 0'], {}, ['ignore', 'ignore', 'ignore'])
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000)
  return (await ending(child, 'ssh').finally(() => clearTimeout(timer))) === 0
}

/** Without a terminal, sshd lets a command live on when its client is gone. */
async function killGroup(connection: Connection, group: number | undefined): Promise<void> {
  if (group === undefined || !connection.alive()) return
  const kill = `kill -KILL -- -${group} 2>/dev/null || sudo -n kill -KILL -- -${group}`
  const child = launch('ssh', [...connection.args, kill], {}, ['ignore', 'ignore', 'ignore'])
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await ending(child, 'ssh')
    .catch(() => {})
    .finally(() => clearTimeout(timer))
}

/** The end of what a command said, for a one-line message. */
function tail({ stdout, stderr }: { stdout: string; stderr: string }): string {
  const lines = (stderr.trim() || stdout.trim()).split('\n').map((line) => line.trim())
  const last = lines.filter(Boolean).slice(-3).join(' | ')
  return last ? `: ${last.slice(-400)}` : ''
}

function shortened(title: string): string {
  const [line = '', ...more] = title.trim().split('\n')
  return more.length > 0 || line.length > 100 ? `\`${line.slice(0, 100)} …\`` : `\`${line}\``
}
