import type { StepReport } from '../report.ts'

/** The machine as it was after a step, or, at position 0, before the first: `layers/<key>/layer.json`. */
export interface Layer {
  schema: 1
  /** Digest of everything it depends on: its own `dependsOn`, and those of all steps before it. */
  key: string
  /** Key of the step before it (whether or not there is a layer of that one); none at position 0. */
  after?: string
  /** Key of the layer whose disk its own lies over; none: the base machine's. */
  parent?: string
  position: number
  title: string
  /** Name → digest or value, for people to see what has changed. */
  dependsOn: Record<string, string>
  /** The running machine, where it could be kept. */
  machine?: KeptMachine
  /** What the step did when it ran; not at position 0. */
  report?: StepReport
  /** Of earlier steps, in order: those whose layers have become part of this one. */
  merged?: MergedStep[]
}

/** What remains of a step's layer in the one that it was merged into; what it fetched, in `merged/<key>` there. */
export interface MergedStep {
  key: string
  /** Not at position 0. */
  report?: StepReport
}

/** A machine's memory, in the file `memory` beside the layer's disk. */
export interface KeptMachine {
  address: string
  mac: string
  bytes: number
  /** What of the computer it depends on: it goes on only where all of that is the same. */
  fits: Record<string, string>
}

/** What is known of a layer's room on this computer. Bytes. */
export interface LayerSize {
  disk: number
  memory: number
}
