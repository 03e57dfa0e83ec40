import { type ChildProcess, spawn } from 'node:child_process'
import { readdir, readFile, readlink } from 'node:fs/promises'

/** The runner waits this long after SIGINT, then after SIGTERM, then kills (ProcessInvoker.cs). */
export const SIGINT_GRACE = 7_500
export const SIGTERM_GRACE = 2_500

export interface ProcessResult {
  status: number | null
  /** The last signal that was needed to end it, if any was sent. */
  signalled?: 'SIGINT' | 'SIGTERM' | 'SIGKILL'
}

/** One process of a step; `cancel` ends it as the runner does, with the runner's timing. */
export async function runProcess(
  argv: readonly string[],
  { cwd, env }: { cwd: string; env: Record<string, string> },
  onOutput: (text: string) => void,
  cancelled: AbortSignal,
): Promise<ProcessResult> {
  const child = spawn(argv[0]!, argv.slice(1), { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const result: ProcessResult = { status: null }
  let refused: unknown
  const take = (chunk: unknown) => {
    try {
      onOutput(String(chunk))
    } catch (error) {
      refused ??= error
      child.kill('SIGKILL')
    }
  }
  child.stdout.on('data', take)
  child.stderr.on('data', take)
  const timers: NodeJS.Timeout[] = []
  const end = (signal: NonNullable<ProcessResult['signalled']>) => {
    result.signalled = signal
    child.kill(signal)
  }
  const cancel = () => {
    end('SIGINT')
    timers.push(setTimeout(() => end('SIGTERM'), SIGINT_GRACE))
    timers.push(setTimeout(() => end('SIGKILL'), SIGINT_GRACE + SIGTERM_GRACE))
  }
  if (cancelled.aborted) cancel()
  else cancelled.addEventListener('abort', cancel, { once: true })
  result.status = await closed(child)
  cancelled.removeEventListener('abort', cancel)
  for (const timer of timers) clearTimeout(timer)
  if (refused !== undefined) throw refused
  return result
}

function closed(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
}

/** Every process of a job carries its tracking id in its environment; at the job's end none should be left. */
export async function leftovers(trackingId: string): Promise<{ pid: number; command: string }[]> {
  const found: { pid: number; command: string }[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue
    const environment = await readFile(`/proc/${name}/environ`, 'latin1').catch(() => '')
    if (!environment.split('\0').includes(`RUNNER_TRACKING_ID=${trackingId}`)) continue
    const command = await readlink(`/proc/${name}/exe`).catch(() => '?')
    found.push({ pid: Number(name), command })
  }
  return found
}
