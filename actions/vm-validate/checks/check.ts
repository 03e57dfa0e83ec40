import type { Spec } from '../../lib/spec/spec.ts'
import type { CheckName } from '../../lib/spec/validate.ts'
import type { Course } from '../course.ts'

/** What checks judge by. */
export interface CheckContext {
  course: Course
  spec: Pick<Spec, 'name' | 'basebox' | 'validate' | 'firstBoot' | 'pack'>
  /** Whether it is what ships, packed and sealed, or the disk before that. */
  sealed: boolean
  /** The build's public key, as authorized_keys would hold it. */
  publicKey: string
  /** The disk that is booted, unchanged: for looking at its bytes. */
  disk: { path: string; format: string }
  signal: AbortSignal
}

/** What a check found: faults, each a line; none, and what there is to say. */
export interface Found {
  faults: string[]
  /** One line on what is so, where nothing is wrong. */
  finding: string
  /** For the evidence, where something is wrong. */
  output?: string
  /** It could not be judged, for this reason. */
  skipped?: string
}

/** A check of our own. */
export interface Check {
  name: CheckName
  /** Only a sealed disk, booted for the first time, can pass. */
  sealed?: true
  /** It changes the machine: afterwards that is rolled back. */
  changes?: true
  /** Milliseconds it may take. */
  limit: number
  look(context: CheckContext): Promise<Found>
}

export const nothingWrong = (finding: string): Found => ({ faults: [], finding })
