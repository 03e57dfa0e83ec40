import type { Fault } from '../errors/fault.ts'
import type { Lock } from '../lock/lock.ts'
import type { Log } from '../log/log.ts'
import type { MachineNetwork } from '../network/network.ts'
import type { Spec } from '../spec/spec.ts'
import type { InputDeclarations, InputValues } from './input.ts'

export const stageNames = [
  'mirror-deps',
  'veewee-basebox',
  'chef-provision',
  'vm-validate',
  'ova-pack',
] as const
export type StageName = (typeof stageNames)[number]

/** Everything that belongs to one appliance, read and found free of faults. All paths are absolute. */
export interface Project {
  /** The folder of `appliance.yml`; paths in the spec are relative to it. */
  readonly directory: string
  readonly specFile: string
  readonly spec: Spec
  /** `<directory>/build`. */
  readonly buildDirectory: string
  /** `<directory>/appliance.lock.json`. */
  readonly lockFile: string
  /** undefined until the first `appliance lock`. */
  readonly lock: Lock | undefined
}

/** A stage: files in, files out. It boots, works, shuts down; no machine lives between stages. */
export interface Stage<I extends InputDeclarations = InputDeclarations> {
  readonly name: StageName
  /** One sentence for `action.yml`, the README and `--help`. */
  readonly description: string
  readonly inputs: I
  /** Output name → description. */
  readonly outputs: Readonly<Record<string, string>>
  /** What {@link ThisRun} says where there was nothing to do. */
  readonly idle?: ThisRun
  /**
   * Where one stage runs twice in a build (vm-validate on the disk, then on the OVA): a word for the second, which
   * gets a folder and a record of its own, `build/<stage>/<variant>/`.
   */
  variant?(inputs: InputValues<I>): string | undefined
  /** What cannot be asked for, or not together: told with all other faults of the inputs, before anything is done. */
  refuses?(inputs: InputValues<I>, project: Project): Fault[]
  /** Whether an input asks for work although everything is up to date. */
  insists?(inputs: InputValues<I>): boolean
  /** `host` may use the internet (mirror-deps only); `private-network` runs where only the mirror is. */
  readonly place: 'host' | 'private-network'
  /**
   * Everything the result depends on, each part a digest or a value, by a name a person understands
   * (`spec.basebox`, `mirror`, `definition`); the fingerprint is the SHA-256 over them. May throw `stale` when an
   * earlier stage has not run. Must be quick (well under a second).
   */
  dependsOn(work: StageWork<I>): Promise<Record<string, string>>
  /** Does the work; what it returns is what `stage.json` records. */
  run(work: StageWork<I>): Promise<StageResult>
  /**
   * What the input `verify` asks for, where a stage has one, instead of `run`: proves offline that the result is what
   * it should be, changes nothing, and throws all that is wrong at once.
   */
  prove?(work: StageWork<I>): Promise<void>
  /** What an input asks for beyond the result (an archive of it); also done where the result was up to date. */
  afterwards?(work: StageWork<I>): Promise<void>
}

/** What a stage is given to work with. */
export interface StageWork<I extends InputDeclarations = InputDeclarations> {
  readonly project: Project
  readonly inputs: InputValues<I>
  readonly log: Log
  readonly signal: AbortSignal
  /** What is there already is to be read byte by byte (after a restore, in a release), not judged by its looks. */
  readonly rereads: boolean
  /** Where the finished files go: `build/<stage>/`. Nothing half-written may have a final name in it. */
  readonly outDirectory: string
  /** Emptied before and after the stage, on the same file system as `outDirectory`, so that rename works. */
  readonly workDirectory: string
  /** The machines' network. Throws `internal` in a stage whose place is `host`. */
  network(): MachineNetwork
  /** The record of an earlier stage that is done; throws `stale` naming the stage to run when there is none. */
  earlier(stage: StageName): Promise<EarlierStage>
  /** Measures a part of the stage for `timings.json` and the table. */
  timed<T>(part: string, work: () => Promise<T>): Promise<T>
}

/** An earlier stage that is done: its record, and its outputs where they lie now. */
export interface EarlierStage {
  readonly record: StageRecord
  /** The absolute path of an output; throws `internal` for a name that stage does not give. */
  path(output: string): string
  /** SHA-256 of an output file as recorded when it was made. */
  sha256(output: string): string
  /** A plain value among the outputs. */
  value(output: string): string
}

export interface StageResult {
  /** Output name → file or folder (absolute, inside `outDirectory`; its SHA-256 if known already) or a value. */
  readonly outputs: Record<string, { path: string; sha256?: string } | { value: string }>
  /** What else belongs to the result: it is made again when one of these is not as it was. */
  readonly files?: readonly { path: string; sha256?: string }[]
  /** Program → version, for those whose version may show in the result. */
  readonly tools: Record<string, string>
  readonly thisRun?: ThisRun
}

/** What tells of one run and not of its result; in `run.json`, so that `stage.json` is the same for the same result. */
export interface ThisRun {
  /** Further outputs, for the steps that follow. */
  readonly values: Readonly<Record<string, string>>
  /** Markdown for the job's summary. */
  readonly summary?: string
}

/** A file or folder; its path is relative to the stage's folder. */
export interface RecordedFile {
  path: string
  bytes?: number
  sha256?: string
}

/** `build/<stage>/stage.json`: deterministic; no clock, no path of this computer. */
export interface StageRecord {
  schema: 1
  stage: StageName
  fingerprint: string
  dependsOn: Record<string, string>
  /** Paths are relative to the stage's folder. Folders carry no digest here (they have records of their own). */
  outputs: Record<string, RecordedFile | { value: string }>
  /** Further files that belong to the result. */
  files?: RecordedFile[]
  tools: Record<string, string>
}
