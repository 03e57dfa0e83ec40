import { readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { toApplianceError } from '../lib/errors/error.ts'
import { noArtifacts, runUrl, uploadEvidence, uploadFile } from '../lib/runner/artifact.ts'
import { isRelease } from '../lib/runner/cache.ts'
import { type Carrier, carrier } from '../lib/runner/carrier.ts'
import { takeEnvSecrets } from '../lib/runner/env-secrets.ts'
import { actionInputs } from '../lib/runner/inputs.ts'
import { outputsOf, setOutputs } from '../lib/runner/outputs.ts'
import { beginStep, endStep } from '../lib/runner/post.ts'
import { addToSummary, linked } from '../lib/runner/summary.ts'
import { type Execution, execute } from '../lib/stage/execute.ts'
import { resolvePaths } from '../lib/stage/parse.ts'
import { type Project, type StageName, stageNames } from '../lib/stage/stage.ts'
import { occupy } from '../lib/stage/workplace.ts'
import { type PublishValues, publish, publishInputs } from '../publish/publish.ts'
import { type BuiltStage, build } from './build.ts'
import { carryIn, carryOut, stagesToRun } from './carried.ts'
import { type ActionName, contractOf, pipelineOutputs } from './contract.ts'
import { evidenceName } from './evidence-name.ts'
import { type Door, runInside } from './inside.ts'
import { notedRows, noteRow } from './job-rows.ts'
import { lastReleaseArchive } from './last-release.ts'
import { withMirrorCache } from './mirror-cache.ts'
import { projectOf } from './project.ts'
import { stageNamed } from './stages.ts'
import { type Before, buildSummary, rowOf, sizesBefore, sizesReleased, stageSummary } from './summary.ts'

/** One step of a workflow: the same stages as the command's, with the runner's inputs, cache and artifacts. */
export async function act(name: ActionName, door: Door): Promise<void> {
  takeEnvSecrets(door.log)
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
    const { code, message, hint, evidence, outputs } = toApplianceError(thrown)
    if (code === 'interrupted') throw thrown
    const promised = Object.entries(outputs).filter(([output]) => output in contractOf(name).outputs)
    try {
      setOutputs(Object.fromEntries(promised))
    } catch (error) {
      door.log.warn(`the step's outputs could not be written: ${(error as Error).message}`)
    }
    const artifact = evidenceName(name, values, Number(process.env.GITHUB_RUN_ATTEMPT ?? 1))
    const shown = await uploadEvidence(artifact, evidence, commonFolder(evidence), door.log)
    await addToSummary(`### ❌ ${name} failed\n\n${fenced(hint ? `${message}\n\n${hint}` : message)}\n`)
    await summariseFiles(evidence, shown)
    if (shown !== undefined) await addToSummary(`\n[What shows it: screens, consoles, journals](${shown})\n`)
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
  if (carries && !bringsItsOwn(values))
    await door.log.group('carry in', () => carryIn(name, project, carries, door, isWhole(values)))
  const work = () =>
    execute(stage, project, own, {
      log: door.log,
      signal: door.signal,
      verify: own.verify === true || isRelease(),
      inside: (inner, _project, innerInputs, rereads) =>
        runInside(inner, project, innerInputs, { ...door, rereads }),
    })
  const title = values.ova === undefined ? name : `${name}, the OVA`
  const execution = await (name === 'mirror-deps' ? withMirrorCache(values, door, work) : work()).catch(
    async (thrown) => {
      const { code, message } = toApplianceError(thrown)
      if (code !== 'interrupted') await tellOfJob(project, before, { title, message })
      throw thrown
    },
  )
  if (archive !== undefined) await rm(dirname(archive), { recursive: true, force: true })
  setOutputs(outputsOf(execution))
  let artifact: string | undefined
  try {
    if (name === 'ova-pack' && values.upload === true) artifact = await uploadOva(execution, door)
  } finally {
    // Whatever becomes of the upload: what was done is told.
    const compared = name === 'ova-pack' ? await comparable(execution, before, project, values, door) : before
    await noteRow(project, rowOf({ title, execution }, compared))
    // The last one of a job that takes the stages one by one.
    if (name === 'ova-pack') await tellOfJob(project, compared, undefined, artifact)
    await summarise({ title, execution }, compared, artifact)
  }
  if (carries && isWhole(values))
    await door.log.group('carry out', () => carryOut(execution, project, carries, door))
}

/** The table of what the job's steps did, one by one; of a single one there is nothing to be said in a table. */
async function tellOfJob(
  project: Project,
  { since }: Before,
  failed?: { title: string; message: string },
  artifact?: string,
): Promise<void> {
  const rows = await notedRows(project)
  if (rows.length + (failed ? 1 : 0) < 2) return
  await addToSummary(buildSummary({ title: titleOf(project), rows, since, links: linksTo(artifact), failed }))
}

/** A selection of scenarios, or the OVA's own validation, is nobody else's to go by. */
function isWhole(values: Record<string, unknown>): boolean {
  return !bringsItsOwn(values) && values.tags === undefined && values.scenario === undefined
}

/** What is to be looked at was named, and is here. */
function bringsItsOwn({ ova, disk }: Record<string, unknown>): boolean {
  return ova !== undefined || disk !== undefined
}

function carrierOf(values: Record<string, unknown>, { log, signal }: Door): Carrier | undefined {
  const { carry: how, token } = values as { carry?: string; token?: string }
  return how === undefined ? undefined : carrier(how, token, log, signal)
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
      keeps: { 'debug-on-error': values['debug-on-error'] as string | undefined },
      ...(archive && { fromArchive: archive }),
    })
  const title = titleOf(project)
  const done = () => [...mirrored, ...later.slice(1)]
  let artifact: string | undefined
  try {
    await withMirrorCache(values, door, () => stagesUntil('mirror-deps', false, mirrored))
    if (archive !== undefined) await rm(dirname(archive), { recursive: true, force: true })
    if (until !== 'mirror-deps') await stagesUntil(until, true, later)
    const executions = done().map(({ execution }) => execution)
    for (const [output, stage] of Object.entries(pipelineOutputs)) {
      const value = executions.findLast(({ record }) => record.stage === stage)
      if (value) setOutputs({ [output]: outputsOf(value)[output] ?? '' })
    }
    const packed = executions.find(({ record }) => record.stage === 'ova-pack')
    if (packed && values.upload === true) artifact = await uploadOva(packed, door)
  } catch (thrown) {
    const { code, message } = toApplianceError(thrown)
    if (code !== 'interrupted') await tell(await compared(), { title: stageAfter(done().length), message })
    throw thrown
  }
  const sizes = await compared()
  await tell(sizes)
  for (const stage of done()) await summarise(stage, sizes)

  async function tell(before: Before, failed?: { title: string; message: string }): Promise<void> {
    const rows = done().map((stage) => rowOf(stage, before))
    const table = { title, rows, since: before.since, links: linksTo(artifact), failed }
    await addToSummary(buildSummary(table))
  }

  async function compared(): Promise<Before> {
    const packed = done().find(({ title }) => title === 'ova-pack')
    return packed ? await comparable(packed.execution, before, project, values, door) : before
  }
}

function titleOf({ spec }: Project): string {
  return `${spec.product.title ?? spec.name} ${spec.version}`
}

function linksTo(artifact?: string): Record<string, string | undefined> {
  return { [`run ${process.env.GITHUB_RUN_ID}`]: runUrl(), 'the OVA': artifact }
}

/** What was to be done next, when so many stages are done. */
function stageAfter(done: number): string {
  return [...stageNames, 'vm-validate, the OVA', 'upload of the OVA'][done]!
}

/** The last build's sizes or, where that left none of its OVA here, the last release's. */
async function comparable(
  { state }: Execution,
  before: Before,
  project: Project,
  { token }: Record<string, unknown>,
  door: Door,
): Promise<Before> {
  if (state === 'up-to-date' || before.sizes['ova-pack'] !== undefined) return before
  return (await sizesReleased(project, token as string | undefined, door)) ?? before
}

/** @returns the artifact's address */
async function uploadOva({ record, outputs }: Execution, door: Door): Promise<string | undefined> {
  const ova = record.outputs.ova
  if (!ova || !('path' in ova)) return undefined
  return await uploadFile(outputs.path('ova'), outputs.sha256('ova'), door.log, door.signal)
}

function sayWhyNoArtifacts({ log }: Door): void {
  const reason = noArtifacts()
  if (reason !== undefined) log.warn(`the OVA will stay in the workspace and not be uploaded: ${reason}`)
}

/** What a stage says, and wrote, for people to read goes to the job's summary. */
async function summarise(stage: BuiltStage, before: Before, artifact?: string): Promise<void> {
  const { execution } = stage
  const said = execution.thisRun.summary
  const texts = said === undefined ? [] : [said]
  for (const path of Object.values(outputsOf(execution)))
    if (path.endsWith('.md')) texts.push(await readFile(path, 'utf8'))
  await addToSummary(stageSummary(stage, before, texts, artifact))
}

/** @param shown where the evidence that they name can be downloaded */
async function summariseFiles(paths: readonly string[], shown?: string): Promise<void> {
  for (const path of paths)
    if (path.endsWith('.md')) await addToSummary(linked(await readFile(path, 'utf8'), shown))
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
