import { serveMachine } from './control.ts'
import type { Holding } from './course.ts'
import { socketOf } from './socket.ts'
import type { TestMachine } from './test-machine.ts'
import type { Work } from './work.ts'

/** Nobody asks for it. */
export const nothingHeld: Holding = { asked: false, held: false, hold: async () => {} }

/** As the stage's input `keep-on-failure` says. */
export function holdingOf({ inputs, log, project, signal }: Work): Holding {
  let held = false
  return {
    asked: inputs['keep-on-failure'],
    get held() {
      return held
    },
    async hold({ test }, name) {
      if (!inputs['keep-on-failure'] || held) return
      held = true
      if (!test.machine) return log.warn(`${name}: there is no machine to be kept: it could not be started`)
      const ended = new AbortController()
      await using _ = await serveMachine(socketOf(project.buildDirectory), test, () => ended.abort(), signal)
      log.warn(
        `${name}: the machine (${test.spec.name}) is left as it failed${answers(test) ? ': appliance vm ssh looks inside' : '. It does not answer: appliance vm screenshot FILE shows its screen'}, appliance vm stop goes on`,
      )
      await new Promise<void>((resolve, reject) => {
        const stop = () => reject(signal.reason)
        signal.addEventListener('abort', stop, { once: true })
        if (signal.aborted) stop()
        ended.signal.addEventListener('abort', () => {
          signal.removeEventListener('abort', stop)
          resolve()
        })
      })
    },
  }
}

function answers(test: TestMachine): boolean {
  try {
    return test.guest !== undefined
  } catch {
    return false // it says why it is not there
  }
}
