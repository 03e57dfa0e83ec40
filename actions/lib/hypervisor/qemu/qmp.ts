import { connect, type Socket } from 'node:net'
import { ApplianceError } from '../../errors/error.ts'

/** What QEMU says without being asked. */
export interface QmpEvent {
  event: string
  data?: Record<string, unknown>
}

/** A message from QEMU: its greeting, the answer to a command, or an event. */
export type QmpMessage =
  | { QMP: { version: { qemu: { major: number; minor: number; micro: number } } } }
  | { return: unknown; id?: number }
  | { error: { class: string; desc: string }; id?: number }
  | QmpEvent

/** Takes bytes as they come from the monitor and gives whole messages. @see qmp-spec, 2.1: a JSON object a line */
export class QmpLines {
  #held = ''

  take(text: string): QmpMessage[] {
    const lines = (this.#held + text).split('\n')
    this.#held = lines.pop()!
    return lines.filter((line) => line.trim() !== '').map((line) => JSON.parse(line) as QmpMessage)
  }
}

/** QEMU's monitor. */
export interface Qmp {
  /** Executes a command; its `error` is thrown with QEMU's own description. */
  execute<T = unknown>(command: string, args?: Record<string, unknown>): Promise<T>
  /** A command of the human monitor, which reports errors as text (empty: done). */
  human(commandLine: string): Promise<string>
  /** Hears every event until the connection ends. */
  on(hear: (event: QmpEvent) => void): void
  /** Resolves when the connection has ended. */
  readonly closed: Promise<void>
  close(): void
}

/**
 * Connects to a monitor's socket, greets, negotiates capabilities.
 *
 * @see https://www.qemu.org/docs/master/interop/qmp-spec.html
 */
export async function openQmp(path: string): Promise<Qmp> {
  const socket = await dial(path)
  const lines = new QmpLines()
  const waiting = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: Error) => void; command: string }
  >()
  const listeners: ((event: QmpEvent) => void)[] = []
  let last = 0

  socket.setEncoding('utf8')
  socket.on('data', (text: string) => {
    for (const message of lines.take(text)) {
      if ('event' in message) for (const hear of listeners) hear(message)
      if (!('id' in message) || message.id === undefined) continue
      const asked = waiting.get(message.id)
      waiting.delete(message.id)
      if ('error' in message)
        asked?.reject(
          new ApplianceError('command-failed', `QEMU refused ${asked.command}: ${message.error.desc}`),
        )
      else if ('return' in message) asked?.resolve(message.return)
    }
  })
  socket.on('error', () => {}) // followed by close
  socket.on('close', () => {
    for (const { reject, command } of waiting.values())
      reject(new ApplianceError('no-answer', `QEMU ended during ${command}`))
    waiting.clear()
  })

  const execute = <T>(command: string, args?: Record<string, unknown>) =>
    new Promise<T>((resolve, reject) => {
      if (socket.destroyed)
        return reject(new ApplianceError('no-answer', `QEMU has ended; it cannot ${command}`))
      const id = ++last
      waiting.set(id, { resolve: resolve as (value: unknown) => void, reject, command })
      socket.write(`${JSON.stringify({ execute: command, ...(args ? { arguments: args } : {}), id })}\n`)
    })
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()))
  await execute('qmp_capabilities')
  return {
    execute,
    human: (commandLine) => execute<string>('human-monitor-command', { 'command-line': commandLine }),
    on: (hear) => void listeners.push(hear),
    closed,
    close: () => socket.destroy(),
  }
}

function dial(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    socket.once('connect', () => resolve(socket))
    socket.once('error', reject)
  })
}
