import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { isIPv4 } from 'node:net'
import { ApplianceError } from '../lib/errors/error.ts'
import { InputError } from '../lib/errors/fault.ts'
import type { Log } from '../lib/log/log.ts'
import { type Access, accessLine } from '../lib/mirror/serve/access.ts'
import { type MirrorServer, serveTree } from '../lib/mirror/serve.ts'
import { mirrorTree } from '../lib/mirror/tree-place.ts'
import type { Door } from './inside.ts'
import { projectOf } from './project.ts'

/** `appliance serve`: the mirror over HTTP until interrupted, by the server that the guest talks to. */
export async function serve(values: Record<string, unknown>, { log, signal }: Door): Promise<void> {
  const { host, port } = addressOf((values.address as string | undefined) ?? '127.0.0.1:8080')
  const project = await projectOf(values)
  const tree = mirrorTree(project)
  if (!(await stat(tree).catch(() => undefined)))
    throw new ApplianceError('stale', `there is no mirror in ${tree} yet`, {
      hint: 'Run `appliance mirror-deps` first.',
    })
  const told: { server?: MirrorServer } = {}
  await using server = await serveTree(tree, host, port, {
    onAccess: (access) => tell(access, told.server, log),
    onFailure: (error) => log.warn(error.message),
  })
  told.server = server
  log.info(`serving ${tree} at ${server.url}; end with Ctrl-C`)
  if (!isLoopback(host))
    log.warn(
      `everybody who can reach this computer at ${host} can read the whole mirror: there is no password and no encryption`,
    )
  if (!signal.aborted) await once(signal, 'abort')
}

/** `127.0.0.1:8080`, `[::1]:8080`, `localhost:0`. */
function addressOf(word: string): { host: string; port: number } {
  const [, bracketed, plain, port] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(word) ?? []
  const host = bracketed ?? plain
  if (host === undefined || Number(port) > 65_535)
    throw new InputError([{ message: `--address: expected host:port such as 127.0.0.1:8080, got ${word}` }])
  return { host, port: Number(port) }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}

/** A line for a request; the time only for people who watch. */
function tell(access: Access, server: MirrorServer | undefined, log: Log): void {
  const time = process.stdout.isTTY ? `${new Date().toTimeString().slice(0, 8)} ` : ''
  log.info(`${time}${accessLine(access)}`)
  const remedy = access.status === 404 && access.method === 'GET' ? server?.remedy(access.path) : undefined
  if (remedy !== undefined) log.warn(`the mirror does not have ${access.path}: ${remedy}`)
}
