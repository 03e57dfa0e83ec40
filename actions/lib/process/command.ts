import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import type { Readable, Writable } from 'node:stream'
import { ApplianceError, CommandFailed } from '../errors/error.ts'

export interface CommandOptions {
  cwd?: string
  /** Added to (or, with undefined, removed from) our own environment. */
  env?: Record<string, string | undefined>
  /** Aborting kills the program: SIGTERM, then SIGKILL after two seconds. */
  signal?: AbortSignal
  /** Milliseconds; afterwards the program is killed and a `timeout` error thrown. */
  timeout?: number
  /** Text or bytes for its standard input; nothing by default. */
  input?: string | Uint8Array
  /** Called with every piece of standard output or error as it arrives. */
  onOutput?: (text: string, stream: 'stdout' | 'stderr') => void
  /** Do not throw on an exit status other than 0. */
  allowFailure?: boolean
  /** Longest standard output kept, in bytes (default 16 MiB); stderr keeps its last 64 KiB. */
  keep?: number
}

export interface CommandResult {
  stdout: string
  stderr: string
  /** Exit status; 128 + signal number when a signal ended it. */
  status: number
}

const STDERR_TAIL = 64 << 10

/**
 * Every program we start dies with us, even after `kill -9`: the kernel signals it when its parent goes
 * (prctl(2), PR_SET_PDEATHSIG, which Node does not offer, hence setpriv(1)).
 */
function dyingWithUs(command: string, args: readonly string[]): [string, string[]] {
  return ['setpriv', ['--pdeathsig', 'KILL', '--', command, ...args]]
}

/** Runs a program to its end. Arguments are passed as they are; there is never a shell in between. */
export async function run(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  options.signal?.throwIfAborted()
  const child = launch(command, args, options, ['pipe', 'pipe', 'pipe'])
  const keep = options.keep ?? 16 << 20
  const out: Buffer[] = []
  let outBytes = 0
  let stderr = ''
  child.stdout!.on('data', (chunk: Buffer) => {
    options.onOutput?.(chunk.toString(), 'stdout')
    if (outBytes < keep) out.push(chunk)
    outBytes += chunk.length
  })
  child.stderr!.on('data', (chunk: Buffer) => {
    options.onOutput?.(chunk.toString(), 'stderr')
    stderr = (stderr + chunk.toString()).slice(-STDERR_TAIL)
  })
  child.stdin!.on('error', () => {}) // a program may end without reading all of its input
  child.stdin!.end(options.input ?? '')

  const stop = stopper(child)
  let timedOut = false
  const timer = options.timeout
    ? setTimeout(() => {
        timedOut = true
        stop()
      }, options.timeout)
    : undefined
  options.signal?.addEventListener('abort', stop, { once: true })
  try {
    const status = await ending(child, command, () => stderr)
    options.signal?.throwIfAborted()
    if (timedOut)
      throw new ApplianceError('timeout', `${command} was stopped after ${options.timeout! / 1000} s`, {
        cause: new CommandFailed(command, args, status, stderr),
      })
    if (status !== 0 && !options.allowFailure) throw new CommandFailed(command, args, status, stderr)
    return { stdout: Buffer.concat(out).toString(), stderr, status }
  } finally {
    clearTimeout(timer)
    options.signal?.removeEventListener('abort', stop)
  }
}

/** A program that runs beside us (QEMU, dnsmasq, an SSH master) until it is disposed of. */
export interface RunningCommand extends AsyncDisposable {
  readonly pid: number
  readonly stdin: Writable
  readonly stdout: Readable
  /** Resolves when the program has ended, with its exit status (128 + signal number after a signal). */
  readonly ended: Promise<number>
  /** The last 64 KiB of its standard error. */
  stderrTail(): string
  /** Ends it: SIGTERM, SIGKILL after `grace` ms (default 2000). */
  stop(grace?: number): Promise<void>
}

/** Starts a program that is to run beside us. Rejects if it cannot be started at all. */
export async function start(
  command: string,
  args: readonly string[],
  options: Pick<CommandOptions, 'cwd' | 'env' | 'onOutput'> = {},
): Promise<RunningCommand> {
  const child = launch(command, args, options, ['pipe', 'pipe', 'pipe'])
  let stderr = ''
  child.stderr!.on('data', (chunk: Buffer) => {
    options.onOutput?.(chunk.toString(), 'stderr')
    stderr = (stderr + chunk.toString()).slice(-STDERR_TAIL)
  })
  if (options.onOutput)
    child.stdout!.on('data', (chunk: Buffer) => options.onOutput!(chunk.toString(), 'stdout'))
  child.stdin!.on('error', () => {})
  const ended = ending(child, command, () => stderr)
  ended.catch(() => {})
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', () => ended.then(() => {}, reject))
  })
  const stop = async (grace = 2000) => {
    stopper(child, grace)()
    await ended.catch(() => {})
  }
  return {
    pid: child.pid!,
    stdin: child.stdin!,
    stdout: child.stdout!,
    ended,
    stderrTail: () => stderr,
    stop,
    [Symbol.asyncDispose]: () => stop(),
  }
}

/** Starts a program with streams the caller wires up (a pipe between two programs, an IPC channel). */
export function launch(
  command: string,
  args: readonly string[],
  options: Pick<CommandOptions, 'cwd' | 'env'>,
  stdio: ('pipe' | 'inherit' | 'ignore' | 'ipc' | number)[],
): ChildProcess {
  const [file, argv] = dyingWithUs(command, args)
  const env = { ...process.env, LC_ALL: 'C.UTF-8', ...options.env }
  return spawn(file, argv, { ...(options.cwd ? { cwd: options.cwd } : {}), env, stdio })
}

/** Resolves with the exit status when a program has ended and its streams are closed. */
export function ending(
  child: ChildProcess,
  command: string,
  stderr: () => string = () => '',
): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(couldNotStart('setpriv', error)))
    child.once('close', (code, signalName) => {
      // setpriv itself speaks when it does not find (127) or may not run (126) the program.
      if ((code === 127 || code === 126) && stderr().startsWith('setpriv: '))
        reject(couldNotStart(command, new Error(stderr().trim())))
      else resolve(code ?? 128 + (signalName ? constants.signals[signalName] : 0))
    })
  })
}

function couldNotStart(command: string, cause: unknown): ApplianceError {
  return new ApplianceError('missing-tool', `${command} is not installed on this computer`, {
    hint: 'Run `appliance doctor`: it names what is missing and the command that installs it.',
    cause,
  })
}

function stopper(child: ChildProcess, grace = 2000): () => void {
  return () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), grace)
    child.once('close', () => clearTimeout(timer))
  }
}
