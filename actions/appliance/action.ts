import { readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { toApplianceError } from '../lib/errors/error.ts'
import { noArtifacts, uploadEvidence, uploadFile } from '../lib/runner/artifact.ts'
import { isRelease } from '../lib/runner/cache.ts'
import { type Carrier, carrier } from '../lib/runner/carrier.ts'
import { actionInputs } from '../lib/runner/inputs.ts'
import { outputsOf, setOutputs } from '../lib/runner/outputs.ts'
import { beginStep, endStep } from '../lib/runner/post.ts'
import { addToSummary } from '../lib/runner/summary.ts'
import { type Execution, execute } from '../lib/stage/execute.ts'
import { resolvePaths } from '../lib/stage/parse.ts'
import { type Project, type StageName, stageNames } from '../lib/stage/stage.ts'
import { occupy } from '../lib/stage/workplace.ts'
import { type PublishValues, publish, publishInputs } from '../publish/publish.ts'
import { type BuiltStage, build } from './build.ts'
import { carryIn, carryOut, stagesToRun } from './carried.ts'
import { type ActionName, contractOf, pipelineOutputs } from './contract.ts'
import { type Door, runInside } from './inside.ts'
import { lastReleaseArchive } from './last-release.ts'
import { withMirrorCache } from './mirror-cache.ts'
import { projectOf } from './project.ts'
import { stageNamed } from './stages.ts'
import { buildSummary, gave, sizesBefore } from './summary.ts'

/** One step of a workflow: the same stages as the command's, with the runner's inputs, cache and artifacts. */
export async function act(name: ActionName, door: Door): Promise<void> {
  const { inputs } = contractOf(name)
  const values: Record<string, unknown> = actionInputs(inputs)
  beginStep(name, String(values['working-directory'] ?? ''), String(values.spec ?? ''))
  if (values.upload === true) sayWhyNoArtifacts(door)
  try {
    if (name === 'appliance') await runPipeline(values, door)
    else if (name === 'plan') await runPlan(values, door)
    else if (name === 'publish') await runPublish(values, door)
    else await runStage(name, values, door)
    endStep()
  } catch (thrown) {
    const { code, message, hint, evidence } = toApplianceError(thrown)
    if (code === 'interrupted') throw thrown
    await addToSummary(`### ❌ ${name} failed\n\n${fenced(hint ? `${message}\n\n${hint}` : message)}\n`)
    await summariseFiles(evidence)
    await uploadEvidence(`${name}-evidence`, evidence, commonFolder(evidence), door.log)
    throw thrown
  }
}

async function runStage(name: StageName, values: Record<string, unknown>, door: Door): Promise<void> {
  const project = await projectOf(values)
  await using _ = await occupy(project.buildDirectory)
  const before = await sizesBefore(project)
  const stage = stageNamed(name)
  const inputs = Object.fromEntries(Object.keys(stage.inputs).map((input) => [input, values[input]]))
  const archive = await fromRelease(project, values, door)
  if (archive !== undefined) inputs['from-archive'] ??= archive
  const own: Record<string, unknown> = resolvePaths(
    stage.inputs,
    inputs,
    String(values['working-directory'] ?? '.'),
  )
  const carries = carrierOf(values, door)
  if (carries && isWhole(values))
    await door.log.group('carry in', () => carryIn(name, project, carries, door))
  const work = () =>
    execute(stage, project, own, {
      log: door.log,
      signal: door.signal,
      verify: own.verify === true || isRelease(),
      inside: (inner, _project, innerInputs, rereads) =>
        runInside(inner, project, innerInputs, { ...door, rereads }),
    })
  const execution = name === 'mirror-deps' ? await withMirrorCache(values, door, work) : await work()
  if (archive !== undefined) await rm(dirname(archive), { recursive: true, force: true })
  setOutputs(outputsOf(execution))
  await summarise(execution)
  const files = gave(execution, before)
  if (name === 'ova-pack' && files !== '') await addToSummary(`**${name}**: ${files}\n`)
  if (values.upload === true) await uploadOva(execution, door)
  if (carries && isWhole(values))
    await door.log.group('carry out', () => carryOut(execution, project, carries, door))
}

/** A selection of scenarios, or the OVA's own validation, is nobody else's to go by. */
function isWhole({ tags, scenario, ova, disk }: Record<string, unknown>): boolean {
  return [tags, scenario, ova, disk].every((given) => given === undefined)
}

function carrierOf(values: Record<string, unknown>, { log }: Door): Carrier | undefined {
  const { carry: how, token } = values as { carry?: string; token?: string }
  return how === undefined ? undefined : carrier(how, token, log)
}

async function fromRelease(
  project: Project,
  values: Record<string, unknown>,
  door: Door,
): Promise<string | undefined> {
  if (values['from-release'] !== true) return undefined
  return await lastReleaseArchive(project, values.token as string | undefined, door)
}

/** Which stages have to work, by records alone; no runner with virtualization is needed to know that. */
async function runPlan(values: Record<string, unknown>, door: Door): Promise<void> {
  const project = await projectOf(values)
  await using _ = await occupy(project.buildDirectory)
  const stages = await stagesToRun(project, carrierOf(values, door)!, door)
  door.log.info(stages.length === 0 ? 'everything is up to date' : `to do: ${stages.join(', ')}`)
  setOutputs({ stages: JSON.stringify(stages) })
}

async function runPublish(values: Record<string, unknown>, door: Door): Promise<void> {
  const project = await projectOf(values)
  await using _ = await occupy(project.buildDirectory)
  const directory = String(values['working-directory'] ?? '.')
  const own = resolvePaths(publishInputs, values as never, directory)
  const { url, files, summary } = await publish(
    project,
    own as unknown as PublishValues,
    door.log,
    door.signal,
  )
  setOutputs({ url, files: JSON.stringify(files) })
  await addToSummary(summary)
}

/** All five; the mirror is cached as soon as it is complete, whatever happens after it. */
async function runPipeline(values: Record<string, unknown>, door: Door): Promise<void> {
  const project = await projectOf(values)
  await using _ = await occupy(project.buildDirectory)
  const before = await sizesBefore(project)
  const until = values.until as StageName
  const archive = await fromRelease(project, values, door)
  const mirrored: BuiltStage[] = []
  const later: BuiltStage[] = []
  const stagesUntil = (last: StageName, proved: boolean, built: BuiltStage[]) =>
    build({
      ...door,
      project: () => projectOf(values),
      from: stageNames[0],
      until: last,
      verify: values.verify === true || isRelease(),
      proved: proved || values.verify !== true,
      renewLock: false,
      unvalidated: false,
      built,
      ...(archive && { fromArchive: archive }),
    })
  const title = `${project.spec.product.title ?? project.spec.name} ${project.spec.version}`
  try {
    await withMirrorCache(values, door, () => stagesUntil('mirror-deps', false, mirrored))
    if (archive !== undefined) await rm(dirname(archive), { recursive: true, force: true })
    if (until !== 'mirror-deps') await stagesUntil(until, true, later)
  } catch (thrown) {
    const { code, message } = toApplianceError(thrown)
    const stages = [...mirrored, ...later.slice(1)]
    const failed = stageNames[stages.length] ?? 'vm-validate, the OVA'
    if (code !== 'interrupted')
      await addToSummary(buildSummary(title, stages, before, { title: failed, message }))
    throw thrown
  }
  const stages = [...mirrored, ...later.slice(1)]
  const executions = stages.map(({ execution }) => execution)
  for (const [output, stage] of Object.entries(pipelineOutputs)) {
    const value = executions.findLast(({ record }) => record.stage === stage)
    if (value) setOutputs({ [output]: outputsOf(value)[output] ?? '' })
  }
  await addToSummary(buildSummary(title, stages, before))
  for (const execution of executions) await summarise(execution)
  const packed = stages.find(({ title }) => title === 'ova-pack')
  if (packed && values.upload === true) await uploadOva(packed.execution, door)
}

async function uploadOva({ record, outputs }: Execution, door: Door): Promise<void> {
  const ova = record.outputs.ova
  if (ova && 'path' in ova) await uploadFile(outputs.path('ova'), outputs.sha256('ova'), door.log)
}

function sayWhyNoArtifacts({ log }: Door): void {
  const reason = noArtifacts()
  if (reason !== undefined) log.warn(`the OVA will stay in the workspace and not be uploaded: ${reason}`)
}

/** What a stage says, and wrote, for people to read goes to the job's summary. */
async function summarise(execution: Execution): Promise<void> {
  if (execution.thisRun.summary !== undefined) await addToSummary(execution.thisRun.summary)
  await summariseFiles(Object.values(outputsOf(execution)))
}

async function summariseFiles(paths: readonly string[]): Promise<void> {
  for (const path of paths) if (path.endsWith('.md')) await addToSummary(await readFile(path, 'utf8'))
}

/** The deepest folder that holds all the files. */
function commonFolder(files: readonly string[]): string {
  let folder = dirname(files[0] ?? '/')
  while (!files.every((file) => file.startsWith(join(folder, '/')))) folder = dirname(folder)
  return folder
}

function fenced(text: string): string {
  const fence = '`'.repeat(Math.max(3, ...[...text.matchAll(/`+/g)].map(([run]) => run.length + 1)))
  return `${fence}text\n${text}\n${fence}`
}
