import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { textOf } from '../../files/text.ts'
import { openQmp, type Qmp, type QmpEvent } from '../qemu/qmp.ts'

/** How long a machine may take to end when it is told to (ms). */
const ENDS_WITHIN = 5000

/**
 * The monitor of the QEMU that libvirt has started, beside libvirt's own. A rollback may be another QEMU's: of that
 * nobody need know.
 */
export class Monitor implements Qmp, AsyncDisposable {
  readonly #path: string
  readonly #machines: string
  readonly #listeners: ((event: QmpEvent) => void)[] = []
  #now: Qmp | undefined
  #replacing = false
  #settle!: (status: number) => void
  readonly ended: Promise<number> = new Promise((resolve) => {
    this.#settle = resolve
  })

  /** @param machines folder in which libvirt keeps the ids of its QEMUs' processes */
  constructor(path: string, machines: string) {
    this.#path = path
    this.#machines = machines
  }

  /** false: there is nobody yet. */
  async connect(): Promise<boolean> {
    const qmp = await openQmp(this.#path).catch(() => undefined)
    if (!qmp) return false
    this.#now = qmp
    for (const hear of this.#listeners) qmp.on(hear)
    void qmp.closed.then(() => {
      if (this.#now === qmp && !this.#replacing) this.#settle(0)
    })
    return true
  }

  /** Whatever becomes of the machine meanwhile, afterwards there is one. */
  async across(work: () => Promise<unknown>): Promise<void> {
    const before = this.#now
    this.#replacing = true
    try {
      await work()
    } finally {
      // One that is still there answers.
      const there = await before?.execute('query-status').catch(() => undefined)
      const deadline = performance.now() + ENDS_WITHIN
      while (!there && !(await this.connect()) && performance.now() < deadline) await pause(50)
      this.#replacing = false
      if (!there && this.#now === before) this.#settle(1)
    }
  }

  execute<T>(command: string, args?: Record<string, unknown>): Promise<T> {
    return this.#now!.execute<T>(command, args)
  }

  human(commandLine: string): Promise<string> {
    return this.#now!.human(commandLine)
  }

  on(hear: (event: QmpEvent) => void): void {
    this.#listeners.push(hear)
    this.#now?.on(hear)
  }

  get closed(): Promise<void> {
    return this.ended.then(() => {})
  }

  close(): void {
    this.#now?.close()
  }

  /** Ends the machine. It is no child of ours, and libvirtd would leave it be. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#now || (await this.connect())) {
      await this.#now!.execute('quit').catch(() => {})
      const late = new AbortController()
      await Promise.race([
        this.#now!.closed,
        pause(ENDS_WITHIN, undefined, { signal: late.signal }).catch(() => {}),
      ])
      late.abort()
    }
    for (const name of await readdir(this.#machines).catch(() => []))
      if (name.endsWith('.pid')) await kill(join(this.#machines, name))
    this.#settle(0)
  }
}

async function kill(pidFile: string): Promise<void> {
  const pid = Number(await textOf(pidFile))
  try {
    if (pid > 1) process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}
