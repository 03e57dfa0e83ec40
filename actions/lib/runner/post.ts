import { randomUUID } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import * as core from '@actions/core'

const VARIABLE = 'APPLIANCE_STEP'

/** Marks everything that this step starts, and tells its post step what it was about. */
export function beginStep(name: string, workingDirectory: string, specFile: string): void {
  const mark = randomUUID()
  process.env[VARIABLE] = mark
  core.saveState('mark', mark)
  core.saveState('action', name)
  core.saveState('working-directory', workingDirectory)
  core.saveState('spec', specFile)
}

/** The step came to its end by itself: nothing is left to be saved. */
export function endStep(): void {
  core.saveState('ended', 'true')
}

export interface EndedStep {
  mark: string
  action: string
  workingDirectory: string
  spec: string
  /** Whether it came to its end; false when it failed, was cancelled or killed. */
  ended: boolean
}

/** In a post step: what the step was. */
export function endedStep(): EndedStep {
  return {
    mark: core.getState('mark'),
    action: core.getState('action'),
    workingDirectory: core.getState('working-directory'),
    spec: core.getState('spec'),
    ended: core.getState('ended') === 'true',
  }
}

/**
 * Kills what a step left running: every process that carries its mark. There should be none, for the kernel ends what
 * we start when we end; but the runner's next job must not find one of ours in any case.
 *
 * @returns what was found, by name
 */
export async function killLeftovers(mark: string): Promise<string[]> {
  if (mark === '') return []
  const killed: string[] = []
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue
    const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')
    if (!environment.split('\0').includes(`${VARIABLE}=${mark}`)) continue
    const name = (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '?')).trim()
    try {
      process.kill(Number(pid), 'SIGKILL')
      killed.push(name)
    } catch {
      // It ended by itself meanwhile.
    }
  }
  return killed
}
