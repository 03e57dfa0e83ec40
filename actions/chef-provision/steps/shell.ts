import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SCRATCH } from '../../lib/mirror/guest-places.ts'
import type { Runner } from '../provisioning.ts'
import { cleanedUp, inGuest } from './in-guest.ts'

const SCRIPT = `${SCRATCH}/step`

/** A script of the project, or commands: sent, run, removed. */
export const shell: Runner<'shell'> = async (step, provisioning) => {
  const { guest, work } = provisioning
  let from = step.file
  if (from === undefined) {
    from = join(work.workDirectory, 'inline-step')
    await writeFile(from, step.interpreter ? `${step.inline}\n` : `#!/bin/sh\nset -e\n${step.inline}\n`)
  }
  await guest.upload(from, SCRIPT, { mode: 0o755, signal: work.signal })
  const clean = async () => {
    await guest.run(`rm -f ${SCRIPT}`, { allowFailure: true }).catch(() => {})
  }
  await cleanedUp(provisioning, clean, () =>
    inGuest(step.interpreter ? `${step.interpreter} ${SCRIPT}` : SCRIPT, step, provisioning),
  )
  return undefined
}
