import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Recipe } from '../../lib/definition/recipe-types.ts'
import { ApplianceError } from '../../lib/errors/error.ts'
import type { Machine } from '../../lib/hypervisor/hypervisor.ts'
import type { StageWork } from '../../lib/stage/stage.ts'
import { commandFor } from './script-command.ts'

const MINUTE = 60_000
const SCRIPT = '/tmp/shutdown.sh'

/**
 * Shuts a definition's machine down: by its `shutdown_cmd`, else or when that does not help by the power button. One
 * that obeys neither is killed, which is told: its disk may want checking.
 */
export async function shutDown(machine: Machine, recipe: Recipe, work: StageWork): Promise<void> {
  const { signal, log } = work
  const command = recipe.shutdownCommand
  const ask = async () => {
    if (command === '') return
    const guest = await machine.guest(signal, MINUTE)
    const from = join(work.workDirectory, 'shutdown.sh')
    await writeFile(from, `${command}\n`)
    await guest.upload(from, SCRIPT, { mode: 0o755, ownFile: true, signal })
    const asRoot = commandFor(SCRIPT, {
      ...recipe,
      postinstall: { ...recipe.postinstall, before: undefined },
    })
    await guest.run(asRoot, { signal, timeout: MINUTE, title: 'shutdown_cmd', allowFailure: true })
  }
  const obeyed = await machine.shutdown(signal, 4 * MINUTE, () =>
    ask().catch((error: unknown) => {
      signal.throwIfAborted()
      // A machine that goes down hangs up.
      if (!(error instanceof ApplianceError)) throw error
    }),
  )
  if (!obeyed)
    log.warn(
      'the machine obeyed neither shutdown_cmd nor its power button, and was killed; its disk is as it was then',
    )
}
