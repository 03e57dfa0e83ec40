import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { toApplianceError } from '../lib/errors/error.ts'
import { noArtifacts, uploadEvidence, uploadFile } from '../lib/runner/artifact.ts'
import { isRelease } from '../lib/runner/cache.ts'
import { actionInputs } from '../lib/runner/inputs.ts'
import { outputsOf, setOutputs } from '../lib/runner/outputs.ts'
import { addToSummary } from '../lib/runner/summary.ts'
import { type Execution, execute } from '../lib/stage/execute.ts'
import { resolvePaths } from '../lib/stage/parse.ts'
import { type StageName, stageNames } from '../lib/stage/stage.ts'
import { occupy } from '../lib/stage/workplace.ts'
import { build, buildTable } from './build.ts'
import { type ActionName, contractOf, pipelineOutputs } from './contract.ts'
import { type Door, runInside } from './inside.ts'
import { withMirrorCache } from './mirror-cache.ts'
import { projectOf } from './project.ts'
import { stageNamed } from './stages.ts'

/** One step of a workflow: the same stages as the command's, with the runner's inputs, cache and artifacts. */
export async function act(name: ActionName, door: Door): Promise<void> {
  const { inputs } = contractOf(name)
  const values: Record<string, unknown> = actionInputs(inputs)
  if (values.upload === true) sayWhyNoArtifacts(door)
  try {
    if (name === 'appliance') await runPipeline(values, door)
    else await runStage(name, values, door)
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
  const stage = stageNamed(name)
  const inputs = Object.fromEntries(Object.keys(stage.inputs).map((input) => [input, values[input]]))
  const own: Record<string, unknown> = resolvePaths(
    stage.inputs,
    inputs,
    String(values['working-directory'] ?? '.'),
  )
  const work = () =>
    execute(stage, project, own, {
      log: door.log,
      signal: door.signal,
      verify: own.verify === true || isRelease(),
      inside: (inner, _project, innerInputs) => runInside(inner, project, innerInputs, door),
    })
  const execution = name === 'mirror-deps' ? await withMirrorCache(values, door, work) : await work()
  setOutputs(outputsOf(execution))
  await summarise(execution)
  if (values.upload === true) await uploadOva(execution, door)
}

/** All five; the mirror is cached as soon as it is complete, whatever happens after it. */
async function runPipeline(values: Record<string, unknown>, door: Door): Promise<void> {
  const project = await projectOf(values)
  await using _ = await occupy(project.buildDirectory)
  const until = values.until as StageName
  const stagesUntil = (last: StageName, proved: boolean) =>
    build({
      ...door,
      project: () => projectOf(values),
      from: stageNames[0],
      until: last,
      verify: values.verify === true || isRelease(),
      proved: proved || values.verify !== true,
      renewLock: false,
      unvalidated: false,
    })
  const mirrored = await withMirrorCache(values, door, () => stagesUntil('mirror-deps', false))
  const built = until === 'mirror-deps' ? mirrored : await stagesUntil(until, true)
  const stages = [...mirrored, ...built.slice(1)]
  const executions = stages.map(({ execution }) => execution)
  for (const [output, stage] of Object.entries(pipelineOutputs)) {
    const value = executions.findLast(({ record }) => record.stage === stage)
    if (value) setOutputs({ [output]: outputsOf(value)[output] ?? '' })
  }
  await addToSummary(`## ${project.spec.name} ${project.spec.version}\n\n${fenced(buildTable(stages))}\n`)
  for (const execution of executions) await summarise(execution)
  const packed = built.find(({ title }) => title === 'ova-pack')
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
