import type { StageWork } from '../../lib/stage/stage.ts'
import type { MirrorPaths } from '../paths.ts'

/** What each kind's proof is given: the mirror as it lies here, and nothing of the internet. */
export interface ProofOptions {
  readonly paths: MirrorPaths
  readonly work: StageWork
}

/**
 * What a kind proves of what is locked, offline: signature → index → artefact from the evidence, and that its
 * repositories install into an empty root from the mirror's tree alone. Returns what is wrong, a line each, which
 * begins with the source (`rpm baseos: …`); none: proved.
 */
export type Prove<L> = (locked: readonly L[], options: ProofOptions) => Promise<string[]>
