import { open, rename, rm } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { ApplianceError } from '../../errors/error.ts'
import { ending, launch } from '../../process/command.ts'
import type { Qmp } from './qmp.ts'

/** Bytes a second; nothing else is using the socket. */
const UNLIMITED = 2 ** 40

/**
 * Writes what a stopped machine consists of besides its disks, memory and devices, to a file (zstd); it can then go
 * on here, or later from the file. `path` has its name only when it is whole.
 *
 * @param socket where a socket may be made for it; at most 107 bytes
 * @see https://www.qemu.org/docs/master/devel/migration/main.html
 */
export async function saveMemory(qmp: Qmp, path: string, socket: string): Promise<void> {
  const partial = `${path}.partial`
  const { server, connected } = await listen(socket)
  try {
    await qmp.execute('migrate-set-parameters', { 'max-bandwidth': UNLIMITED })
    await qmp.execute('migrate', { uri: `unix:${socket}` })
    const stream = await connected
    await using file = await open(partial, 'w', 0o600)
    const zstd = launch('zstd', ['-q', '-1', '-T0', '-c'], {}, ['pipe', file.fd, 'inherit'])
    const ended = ending(zstd, 'zstd')
    await pipeline(stream, zstd.stdin!)
    const status = await ended
    await migrated(qmp)
    if (status !== 0) throw new ApplianceError('command-failed', `zstd failed (${status}) writing ${path}`)
    await rename(partial, path)
  } catch (error) {
    await qmp.execute('migrate_cancel').catch(() => {})
    await rm(partial, { force: true })
    throw error
  } finally {
    server.close()
  }
}

async function listen(socket: string) {
  await rm(socket, { force: true })
  const server: Server = createServer()
  const connected = new Promise<NodeJS.ReadableStream>((resolve) => server.once('connection', resolve))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(socket, resolve)
  })
  return { server, connected }
}

/** Waits for the end of a migration out of a machine, which is near: everything has been read. */
async function migrated(qmp: Qmp): Promise<void> {
  for (;;) {
    const { status, 'error-desc': why } = await qmp.execute<{ status: string; 'error-desc'?: string }>(
      'query-migrate',
    )
    if (status === 'completed') return
    if (status === 'failed' || status === 'cancelled')
      throw new ApplianceError('command-failed', `QEMU could not save the machine: ${why ?? status}`)
    await pause(20)
  }
}

/** Lets a machine that was started with `-incoming defer` go on from a file that {@link saveMemory} has written. */
export async function loadMemory(qmp: Qmp, path: string, socket: string, signal: AbortSignal): Promise<void> {
  await rm(socket, { force: true })
  await qmp.execute('migrate-incoming', { uri: `unix:${socket}` })
  const zstd = launch('zstd', ['-q', '-d', '-c', path], {}, ['ignore', 'pipe', 'inherit'])
  const ended = ending(zstd, 'zstd')
  // QEMU hangs up when it has refused; its own words come from query-status' place, standard error.
  await pipeline(zstd.stdout!, connect(socket), { signal }).catch(() => zstd.kill())
  await ended
  for (;;) {
    signal.throwIfAborted()
    const { status } = await qmp.execute<{ status: string }>('query-status')
    if (status !== 'inmigrate') break
    await pause(20)
  }
  await qmp.execute('cont')
}
