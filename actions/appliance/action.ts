import { readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { toApplianceError } from '../lib/errors/error.ts'
import { noArtifacts, uploadEvidence, uploadFile } from '../lib/runner/artifact.ts'
import { actionInputs } from '../lib/runner/inputs.ts'
import { outputsOf, setOutputs } from '../lib/runner/outputs.ts'
import { addToSummary } from '../lib/runner/summary.ts'
import { type Execution, execute } from '../lib/stage/execute.ts'
import { resolvePaths } from '../lib/stage/parse.ts'
import { type StageName, stageNames } from '../lib/stage/stage.ts'
import { occupy } from '../lib/stage/workplace.ts'
import { build, buildTable } from './build.ts'
import { projectOf } from './command.ts'
import { type ActionName, contractOf } from './contract.ts'
import { type Door, runInside } from './inside.ts'
import { withMirrorCache } from './mirror-cache.ts'
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
    const { message, hint, evidence } = toApplianceError(thrown)
    await addToSummary(`### ❌ ${name} failed\n\n${fenced(hint ? `${message}\n\n${hint}` : message)}\n`)
    await summarise(evidence)
    await uploadEvidence(`${name}-evidence`, evidence, commonFolder(evidence), door.log)
    throw thrown
  }
}

async function runStage(name: StageName, values: Record<string, unknown>, door: Door): Promise<void> {
  const project = await projectOf(values)
  await using _ = await occupy(project.buildDirectory)
  const stage = stageNamed(name)
  const given = Object.fromEntries(Object.keys(stage.inputs).map((input) => [input, values[input]]))
  const own = resolvePaths(stage.inputs, given, String(values['working-directory'] ?? '.'))
  const work = () =>
    execute(stage, project, own, {
      log: door.log,
      signal: door.signal,
      verify: false,
      inside: (inner, _project, inputs) => runInside(inner, project, inputs, door),
    })
  if (name === 'mirror-deps') {
    const { result, hit } = await withMirrorCache(values, door, work)
    setOutputs({ ...outputsOf(result), 'cache-hit': String(hit) })
    return
  }
  const execution = await work()
  setOutputs(outputsOf(execution))
  await summarise(Object.values(outputsOf(execution)))
  if (values.upload === true) await uploadOva(execution, door)
}

/** All five; the mirror is cached as soon as it is complete, whatever happens after it. */
async function runPipeline(values: Record<string, unknown>, door: Door): Promise<void> {
  const project = await projectOf(values)
  await using _ = await occupy(project.buildDirectory)
  const until = values.until as StageName
  const stagesUntil = (last: StageName) =>
    build({
      ...door,
      project: () => projectOf(values),
      from: stageNames[0],
      until: last,
      verify: values.verify === true,
      renewLock: false,
      unvalidated: false,
    })
  const { result: mirrored, hit } = await withMirrorCache(values, door, () => stagesUntil('mirror-deps'))
  const built = until === 'mirror-deps' ? mirrored : await stagesUntil(until)
  const outputs = Object.assign({}, ...built.map(({ execution }) => outputsOf(execution))) as Record<
    string,
    string
  >
  const promised = Object.keys(contractOf('appliance').outputs)
  const given = Object.entries({ ...outputs, 'cache-hit': String(hit) })
  setOutputs(Object.fromEntries(given.filter(([output]) => promised.includes(output))))
  await addToSummary(`## ${project.spec.name} ${project.spec.version}\n\n${fenced(buildTable(built))}\n`)
  for (const { execution } of built) await summarise(Object.values(outputsOf(execution)))
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

/** What a stage wrote for people to read goes to the job's summary. */
async function summarise(paths: readonly string[]): Promise<void> {
  for (const path of paths)
    if (basename(path) === 'summary.md') await addToSummary(await readFile(path, 'utf8'))
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
