import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError } from '../lib/errors/error.ts'
import { refuse } from '../lib/errors/fault.ts'
import { serveTree } from '../lib/mirror/serve.ts'
import type { Door } from './inside.ts'
import { projectOf } from './project.ts'

/** `appliance serve`: the mirror over HTTP until interrupted. */
export async function serve(values: Record<string, unknown>, { log, signal }: Door): Promise<void> {
  const address = (values.address as string | undefined) ?? '127.0.0.1:8080'
  const match = /^(.+):(\d+)$/.exec(address)
  if (!match) return refuse([{ message: `--address: expected host:port, got ${address}` }])
  const project = await projectOf(values)
  const tree = join(project.buildDirectory, 'mirror-deps', 'tree')
  if (!(await stat(tree).catch(() => undefined)))
    throw new ApplianceError('stale', `there is no mirror in ${tree} yet`, {
      hint: 'Run `appliance mirror-deps` first.',
    })
  await using server = await serveTree(tree, match[1]!, Number(match[2]))
  log.info(`serving ${tree} at ${server.url}; end with Ctrl-C`)
  if (!signal.aborted) await once(signal, 'abort')
}
