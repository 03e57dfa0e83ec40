import type { StageWork } from '../../lib/stage/stage.ts'
import type { MirrorPaths } from '../paths.ts'
import type { ProofRoots } from './roots.ts'

/** What each kind's proof is given: the mirror as it lies here, and nothing of the internet. */
export interface ProofOptions {
  readonly paths: MirrorPaths
  readonly work: StageWork
  /** Roots that packages were installed into. */
  readonly roots: ProofRoots
}
