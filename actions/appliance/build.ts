import { chefProvision } from '../chef-provision/stage.ts'
import { ApplianceError } from '../lib/errors/error.ts'
import { refuse } from '../lib/errors/fault.ts'
import { type ExecuteOptions, type Execution, execute } from '../lib/stage/execute.ts'
import type { InputDeclarations, InputValues } from '../lib/stage/input.ts'
import { type Project, type StageName, stageNames } from '../lib/stage/stage.ts'
import { formatDuration } from '../lib/units/duration.ts'
import { formatSize } from '../lib/units/size.ts'
import { mirrorDeps } from '../mirror-deps/stage.ts'
import { ovaPack } from '../ova-pack/stage.ts'
import { veeweeBasebox } from '../veewee-basebox/stage.ts'
import { vmValidate } from '../vm-validate/stage.ts'
import { type Door, runInside } from './inside.ts'

export interface BuildOptions extends Door {
  /** Reads spec and lock again: the first stage may write the lock. */
  project: () => Promise<Project>
  from: StageName
  until: StageName
  /** Read every byte of earlier results again, and prove the mirror offline. */
  verify: boolean
  /** The mirror was proved already, in this very run. */
  proved?: boolean
  /** Write the lock anew, saying so, when upstream no longer has what it names. */
  renewLock: boolean
  /** Pack a disk that was not validated. */
  unvalidated: boolean
  /** The mirror's stage alone: an archive to take from what is lacking. */
  fromArchive?: string
  /** A machine in which something fails is kept, for whoever looks into it; see the stages' own inputs. */
  keeps?: { 'keep-on-failure'?: boolean; 'debug-on-error'?: string | undefined }
  /** Gets each stage as it is done: what there is to tell of when a later one fails. */
  built?: BuiltStage[]
}

/** A stage as the closing table shows it. */
export interface BuiltStage {
  title: string
  execution: Execution
}

/**
 * The five stages in order, each skipped when it is up to date; then the packed OVA is validated itself
 * (DESIGN §1). `from` makes that stage and all after it work again.
 */
export async function build(options: BuildOptions): Promise<BuiltStage[]> {
  const { log, signal, verify } = options
  const built = options.built ?? []
  const first = stageNames.indexOf(options.from)
  const last = stageNames.indexOf(options.until)
  const stage = async (title: StageName | 'vm-validate, the OVA', work: () => Promise<Execution>) => {
    signal.throwIfAborted()
    built.push({ title, execution: await log.group(title, work) })
  }
  const settings = (name: StageName, project: Project) => ({
    log,
    signal,
    verify,
    force: options.from !== 'mirror-deps' && stageNames.indexOf(name) >= first,
    inside: (...[inner, , inputs, rereads]: Parameters<ExecuteOptions['inside']>) =>
      runInside(inner, project, inputs, { ...options, rereads }),
  })

  const { 'keep-on-failure': keep = false, 'debug-on-error': debug } = options.keeps ?? {}
  const provisioning = { ...defaults(chefProvision.inputs), 'keep-on-failure': keep, 'debug-on-error': debug }

  for (const name of stageNames.slice(0, last + 1)) {
    const project = await options.project()
    // Before hours of work, not after them.
    if (name === stageNames[0]) refuse(chefProvision.refuses!(provisioning, project))
    const set = settings(name, project)
    await stage(name, () => {
      switch (name) {
        case 'mirror-deps':
          return mirror(project, options, set)
        case 'veewee-basebox':
          return execute(veeweeBasebox, project, defaults(veeweeBasebox.inputs), set)
        case 'chef-provision':
          return execute(chefProvision, project, provisioning, set)
        case 'vm-validate':
          return execute(
            vmValidate,
            project,
            { ...defaults(vmValidate.inputs), 'keep-on-failure': keep },
            set,
          )
        case 'ova-pack': {
          const inputs = { ...defaults(ovaPack.inputs), unvalidated: options.unvalidated }
          return execute(ovaPack, project, inputs, set)
        }
      }
    })
  }
  const packed = built.at(-1)!
  if (packed.title === 'ova-pack' && !('ova' in packed.execution.record.outputs))
    log.warn('no OVA was packed (pack.formats): nothing is booted again as a customer would')
  else if (packed.title === 'ova-pack') {
    const project = await options.project()
    const ova = packed.execution.outputs.path('ova')
    const inputs = { ...defaults(vmValidate.inputs), 'keep-on-failure': keep, ova }
    const set = { ...settings('vm-validate', project), force: packed.execution.state === 'done' }
    await stage('vm-validate, the OVA', () => execute(vmValidate, project, inputs, set))
  }
  return built
}

async function mirror(
  project: Project,
  options: BuildOptions,
  set: Parameters<typeof execute>[3],
): Promise<Execution> {
  const { fromArchive } = options
  const inputs = { ...defaults(mirrorDeps.inputs), ...(fromArchive && { 'from-archive': fromArchive }) }
  const execution = await mirrorOrRenew(project, inputs, options, set)
  if (options.verify && !options.proved) await execute(mirrorDeps, project, { ...inputs, verify: true }, set)
  return execution
}

async function mirrorOrRenew(
  project: Project,
  inputs: InputValues<typeof mirrorDeps.inputs>,
  options: BuildOptions,
  set: Parameters<typeof execute>[3],
): Promise<Execution> {
  try {
    return await execute(mirrorDeps, project, inputs, set)
  } catch (thrown) {
    const gone = thrown instanceof ApplianceError && thrown.code === 'gone'
    if (!gone || !options.renewLock) throw thrown
    options.log.warn(`the lock is renewed, because ${thrown.message}`)
    return await execute(mirrorDeps, project, { ...inputs, update: 'all' as const }, set)
  }
}

/** Every input at its declared default. */
export function defaults<I extends InputDeclarations>(declarations: I): InputValues<I> {
  return Object.fromEntries(
    Object.entries(declarations).map(([name, { kind, default: word }]) => [
      name,
      kind === 'flag' ? word === 'true' : word === '' ? undefined : word,
    ]),
  ) as InputValues<I>
}

/** The closing table: stage, seconds, what it gave. */
export function buildTable(built: readonly BuiltStage[]): string {
  const rows = built.map(({ title, execution }) => [
    title,
    execution.state === 'up-to-date' ? 'up to date' : formatDuration(execution.milliseconds),
    gave(execution),
  ])
  const total = built.reduce((sum, { execution }) => sum + execution.milliseconds, 0)
  rows.push(['total', formatDuration(total), ''])
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows
    .map(([a, b, c]) => `${a!.padEnd(widths[0]!)}  ${b!.padStart(widths[1]!)}  ${c}`.trimEnd())
    .join('\n')
}

function gave(execution: Execution): string {
  return Object.entries(execution.record.outputs)
    .flatMap(([name, output]) => ('bytes' in output ? [`${name} ${formatSize(output.bytes!)}`] : []))
    .join(', ')
}
