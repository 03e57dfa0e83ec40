import type { StageWork } from '../lib/stage/stage.ts'
import type { inputs } from './inputs.ts'

export type Work = StageWork<typeof inputs>

/** Whoever tries to leave does so during something with a name. */
export function during<T>(work: Work, title: string, doIt: () => Promise<T>): Promise<T> {
  const network = work.network()
  return network.during ? network.during(title, doIt) : doIt()
}
