import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { ApplianceError } from '../errors/error.ts'
import type { Guest, GuestResult, GuestRunOptions } from './guest.ts'
import { exports, quote } from './quote.ts'

/** The guest's end of a PC's second serial port. */
const DEVICE = '/dev/ttyS1'
/** Where the shell on it keeps its process id. */
const SHELL = '/run/appliance-line.pid'
/** What the shell says once it listens, and how long it may take (ms). */
const READY = 'listening'
const PATIENCE = 60_000
/** How long a command that is over at once may take (ms). */
const SOON = 3000
/** Bytes of a command that are sent at once: a terminal holds 4,096. */
const PIECE = 1500
/** Bytes that are kept of a command's output, each of stdout and stderr: its end. */
const KEPT = 1 << 20

/**
 * A guest at the other end of a serial line: a shell of root's on it, started over `guest` while that answers. It needs
 * no network and no password. Commands are run one at a time; files cannot be copied.
 *
 * @param socket of the line, on this computer
 */
export async function guestOnLine(socket: string, guest: Guest, signal: AbortSignal): Promise<Guest> {
  const line = await dial(socket)
  let heard = ''
  let news = () => {}
  line.setEncoding('latin1').on('data', (text: string) => {
    heard = (heard + text).slice(-4 * KEPT)
    news()
  })
  line.on('close', () => news())

  /** What is heard between two lines with a token. */
  const between = async (token: string, limit: number, signal: AbortSignal | undefined): Promise<string> => {
    const end = performance.now() + limit
    for (;;) {
      const found = new RegExp(`${token}<\\r?\\n([\\s\\S]*?)>${token}`).exec(heard)
      if (found) {
        heard = heard.slice(found.index + found[0].length)
        return found[1]!
      }
      signal?.throwIfAborted()
      if (line.destroyed) throw new ApplianceError('no-answer', 'the serial line broke')
      if (performance.now() > end) throw new ApplianceError('timeout', 'no answer on the serial line')
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 200)
        news = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  try {
    // What is said before the port is open and raw is lost, or heard twice; so the shell speaks first.
    const shell = `echo $$ >${SHELL}; exec <${DEVICE} >${DEVICE} 2>/dev/null; stty raw -echo; echo '${READY}<'; echo '>${READY}'; exec /bin/sh`
    // One that an earlier line has left would take half of what is typed.
    const only = `[ ! -f ${SHELL} ] || kill -KILL "$(cat ${SHELL})" 2>/dev/null || :`
    await guest.run(`${only}; setsid -f /bin/sh -c ${quote(shell)} </dev/null >/dev/null 2>&1`, {
      signal,
      title: 'a shell on the second serial port',
    })
    await between(READY, PATIENCE, signal)
  } catch (error) {
    // There is room for one at the line's end.
    line.destroy()
    throw error
  }

  let last: Promise<unknown> = Promise.resolve()
  const run = async (commandLine: string, options: GuestRunOptions): Promise<GuestResult> => {
    const token = `line${randomBytes(6).toString('hex')}`
    const file = `/run/${token}`
    const text = Buffer.from(`${exports(options.env ?? {})}${commandLine}\n`).toString('base64')
    const say = (words: string) => line.write(`${words}\n`)
    say(`umask 077; : >${file}.in`)
    for (let at = 0; at < text.length; at += PIECE)
      say(`printf %s ${text.slice(at, at + PIECE)} >>${file}.in`)
    const become = options.as === undefined ? '' : `runuser -u ${quote(options.as)} -- `
    // The command comes by a pipe, so that whoever runs it need not be allowed to read the file.
    say(`base64 -d ${file}.in | ${become}/bin/sh >${file}.out 2>${file}.err; s=$?`)
    const tail = (name: string) => `tail -c ${KEPT} ${file}.${name} | base64 -w 0; echo`
    say(`echo; echo '${token}<'; echo $s; ${tail('out')}; ${tail('err')}; rm -f ${file}.*; echo '>${token}'`)
    const answer = await between(token, options.timeout ?? 300_000, options.signal)
    const [status = '', out = '', err = ''] = answer.split(/\r?\n/)
    const decoded = (word: string) => Buffer.from(word, 'base64').toString('utf8')
    const result = { status: Number(status), stdout: decoded(out), stderr: decoded(err) }
    if (result.status !== 0 && !options.allowFailure)
      throw new ApplianceError(
        'guest-failed',
        `in the guest, ${options.title ?? commandLine} failed (${result.status})`,
      )
    return result
  }
  const noCopy = async () => {
    throw new ApplianceError(
      'guest-failed',
      'the network is cut, and over the serial line no files are copied',
    )
  }
  return {
    run(commandLine, options = {}) {
      const next = last.then(() => run(commandLine, options))
      last = next.catch(() => {})
      return next
    },
    terminal: noCopy,
    upload: noCopy,
    download: noCopy,
    async [Symbol.asyncDispose]() {
      line.destroy()
    },
  }
}

/**
 * Has the shell that an earlier {@link guestOnLine} has left on the line run a command, and waits for its end.
 *
 * @returns whether it is known to have succeeded, within three seconds
 */
export async function doneOnLine(socket: string, commandLine: string, signal: AbortSignal): Promise<boolean> {
  const line = await dial(socket).catch(() => undefined)
  if (!line) return false
  const token = `line${randomBytes(6).toString('hex')}`
  let late: NodeJS.Timeout | undefined
  let stop = () => {}
  try {
    return await new Promise<boolean>((resolve) => {
      let heard = ''
      line.setEncoding('latin1').on('data', (text: string) => {
        heard = (heard + text).slice(-KEPT)
        const status = new RegExp(`${token}<(\\d+)>`).exec(heard)?.[1]
        if (status !== undefined) resolve(status === '0')
      })
      line.on('close', () => resolve(false))
      stop = () => resolve(false)
      signal.addEventListener('abort', stop, { once: true })
      late = setTimeout(stop, SOON)
      line.write(`${commandLine} >/dev/null 2>&1; echo "${token}<$?>"\n`)
    })
  } finally {
    clearTimeout(late)
    signal.removeEventListener('abort', stop)
    line.destroy()
  }
}

function dial(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    socket.once('connect', () => resolve(socket))
    socket.once('error', reject)
  })
}
