import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256File } from '../lib/files/digest.ts'
import type { Machine } from '../lib/hypervisor/hypervisor.ts'
import { within } from './deadline.ts'

/** Pictures that are kept: the last ones. */
const MOST = 24

/** What the screen showed after each step of a scenario: a picture whenever it has changed. */
export interface StepFilm {
  /** Looks at the screen; a machine without one, or that is gone, is no fault of its film. */
  look(step: number, machine: Machine | undefined, signal: AbortSignal): Promise<void>
  readonly pictures: readonly string[]
}

export function stepFilm(folder: string): StepFilm {
  const pictures: string[] = []
  let last: string | undefined
  return {
    pictures,
    async look(step, machine, signal) {
      if (!machine) return
      const now = join(folder, 'now.png')
      try {
        await mkdir(folder, { recursive: true })
        await within(10_000, signal, 'a picture', () => machine.screenshot(now))
        const digest = await sha256File(now)
        if (digest === last) return
        last = digest
        const file = join(folder, `film-after-step-${String(step).padStart(3, '0')}.png`)
        await rename(now, file)
        pictures.push(file)
        if (pictures.length > MOST) await rm(pictures.shift()!)
      } catch {
        signal.throwIfAborted()
      }
    },
  }
}
