import { serveMachine } from './control.ts'
import type { Course } from './course.ts'
import { socketOf } from './socket.ts'
import type { Work } from './work.ts'

/** Leaves the machine as it is, for `appliance vm`, until somebody stops it. */
export async function keptOpen(course: Course, work: Work): Promise<void> {
  const socket = socketOf(work.project.buildDirectory)
  const ended = new AbortController()
  await using _ = await serveMachine(socket, course.test, () => ended.abort(), work.signal)
  work.log.warn('the machine is left as it is: appliance vm ssh looks inside, appliance vm stop goes on')
  await new Promise<void>((resolve, reject) => {
    ended.signal.addEventListener('abort', () => resolve(), { once: true })
    work.signal.addEventListener('abort', () => reject(work.signal.reason), { once: true })
  })
}
