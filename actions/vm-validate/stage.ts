import { mkdir, readFile, rm } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { refuse } from '../lib/errors/fault.ts'
import { sha256 } from '../lib/files/digest.ts'
import { treeDigest } from '../lib/files/tree.ts'
import { driverNamed } from '../lib/hypervisor/drivers.ts'
import type { Hypervisor, MachineSpec } from '../lib/hypervisor/hypervisor.ts'
import { type Secrets, secrets } from '../lib/log/secrets.ts'
import type { Scenario } from '../lib/spec/scenario.ts'
import { readScenarios } from '../lib/spec/scenarios.ts'
import type { Suite } from '../lib/spec/validate.ts'
import type { Stage, StageResult, StageWork } from '../lib/stage/stage.ts'
import { bootMachine, runBuiltInChecks } from './checks-run.ts'
import { conclude } from './conclude.ts'
import type { Course } from './course.ts'
import { matrixFaults, neededOfProject, type Selection, select, stepFaults } from './faults.ts'
import { hardwareName, hardwareToTry } from './hardware.ts'
import { runHardware } from './hardware-run.ts'
import { inputs } from './inputs.ts'
import { holdingOf } from './kept-open.ts'
import { machinesFor, thisComputer } from './machines.ts'
import { reaches } from './reaches.ts'
import { runScenarios } from './scenarios-run.ts'
import { concealed, concealFolder, keepingSecret } from './secrecy.ts'
import { possibleWith, prepareSubject, subjectDigest } from './subject.ts'
import { suiteDigest } from './suite-files.ts'
import { runSuite } from './suites-run.ts'
import { testMachine } from './test-machine.ts'
import { variablesOf } from './variables.ts'
import { type ScenarioResult, verdictOn } from './verdict.ts'
import { during, type Work } from './work.ts'

const RECIPE = '3'

/** The vm-validate stage on a hypervisor of choice. */
export function vmValidateOn(
  hypervisor: (work: StageWork) => Hypervisor | Promise<Hypervisor>,
): Stage<typeof inputs> {
  return {
    name: 'vm-validate',
    description: 'Boots the disk, or the packed OVA, and tries everything that its scenarios say',
    inputs,
    outputs: {
      verdict: 'passed or failed; a failed one is an error, and all outputs are there all the same',
      'disk-sha256': 'SHA-256 of the disk image that was validated',
      report: 'JUnit XML',
      summary: 'Markdown, failures first',
      page: 'The report as one HTML file, for people',
      details: 'The verdict as JSON',
      evidence: 'Folder of what shows why something failed, and of the serial console',
    },
    place: 'private-network',
    refuses: ({ ova, disk }) =>
      ova !== undefined && disk !== undefined ? [{ message: 'give a disk or an OVA, not both' }] : [],
    // Only a run of everything may vouch for the disk, and what a selection found must not replace it.
    variant: ({ ova, tags, scenario }) =>
      ova !== undefined ? 'ova' : tags !== undefined || scenario !== undefined ? 'selected' : undefined,

    async dependsOn(work) {
      const { spec, directory, buildDirectory } = work.project
      const scenarios = await readScenarios(spec, directory)
      const shipped = spec.pack.hardware.data_disks.flatMap(({ file }) => file ?? [])
      const files = [...neededOfProject(scenarios, directory), ...shipped]
      const { suites } = spec.validate
      return {
        recipe: RECIPE,
        [work.inputs.ova === undefined ? 'disk' : 'ova']: await subjectDigest(work),
        scenarios: sha256(JSON.stringify(scenarios, (key, value) => (key === 'line' ? undefined : value))),
        uploads: sha256(JSON.stringify(await Promise.all(files.map(digestIfThere)))),
        suites: sha256(
          JSON.stringify(
            await Promise.all(suites.map((one) => suiteDigest(one, { project: directory, buildDirectory }))),
          ),
        ),
        selection: JSON.stringify(selection(work)),
        'spec.validate': JSON.stringify([
          spec.name,
          spec.version,
          spec.variables,
          spec.secrets,
          {
            ...spec.validate,
            scenarios: null,
            machines: null,
            // Where this checkout lies is no part of it.
            suites: suites.map((one) => ({
              ...one,
              directory: one.directory === undefined ? null : relative(directory, one.directory),
            })),
          },
        ]),
        'spec.hardware': JSON.stringify([spec.basebox.cpus, spec.basebox.memory, spec.pack.hardware]),
      }
    },

    async run(work): Promise<StageResult> {
      const { spec, directory } = work.project
      const scenarios = await readScenarios(spec, directory)
      const variables = variablesOf(spec, process.env)
      const wanted = selection(work)
      const { selected, suites, faults } = select(scenarios, spec.validate.suites, wanted)
      const driver = await hypervisor(work)
      refuse([
        ...faults,
        ...variables.faults,
        ...matrixFaults(spec.validate.matrix, scenarios),
        ...(await stepFaults(scenarios, directory, driver, selected)),
      ])
      for (const secret of variables.secrets) work.log.mask(secret)
      const known = secrets(variables.secrets)
      const plan: Plan = { driver, scenarios, selected, suites, wanted, variables: variables.values }
      await clean(work.outDirectory)
      try {
        return await keepingSecret(known, () => tryAll(plan, known, work))
      } finally {
        // By now the machines have said their last word.
        await concealFolder(join(work.outDirectory, 'evidence'), known)
      }
    },
  }
}

/** What is to be tried, all of it known to be free of faults. */
interface Plan {
  driver: Hypervisor
  /** All there are. */
  scenarios: readonly Scenario[]
  selected: readonly Scenario[]
  suites: readonly Suite[]
  wanted: Selection
  variables: ReadonlyMap<string, string>
}

async function tryAll(
  { driver, scenarios, selected, suites, wanted, variables }: Plan,
  known: Secrets,
  work: Work,
): Promise<StageResult> {
  const { spec } = work.project
  const sealed = work.inputs.ova !== undefined
  const prepared = possibleWith(driver, await work.timed('reading', () => prepareSubject(work)))
  const { machine } = prepared
  await using test = testMachine(driver, machine, work.log, work.network().welcome)
  const course: Course = {
    test,
    spec: work.project.spec,
    project: work.project.directory,
    workDirectory: work.workDirectory,
    outDirectory: work.outDirectory,
    variables,
    secrets: known,
    holding: holdingOf(work),
    tags: wanted.byTag ? wanted.tags : [],
    started: performance.now(),
    folders: new Set(['machine']),
    log: work.log,
    signal: work.signal,
  }
  const workers = machinesFor(selected.length, machine, thisComputer(), spec.validate.machines)

  const results: ScenarioResult[] = [await work.timed('boot', () => bootMachine(course))]
  const again = () => !course.holding.held
  if (results[0]!.status === 'passed') {
    await work.timed('snapshot', () => test.keep(work.signal))
    const publicKey = await readFile(`${machine.login.key}.pub`, 'utf8')
    const everything = wanted.tags.length === 0 && wanted.names.length === 0
    if (everything || sealed)
      results.push(
        await work.timed('checks', () =>
          during(work, 'built-in checks', () =>
            runBuiltInChecks(
              { course, spec, publicKey, disk: machine.disk },
              { sealed, disturbing: everything },
            ),
          ),
        ),
      )
    if (again())
      results.push(
        ...(await work.timed('scenarios', () => runScenarios(selected, course, { workers, driver, work }))),
      )
    for (const suite of suites)
      if (again())
        results.push(
          await work.timed('suites', () => during(work, suite.name, () => runSuite(suite, course))),
        )
    if (again() && sealed && spec.validate.matrix)
      results.push(
        ...(await work.timed('hardware', () =>
          runMatrix(course, publicKey, machine, scenarios, driver, work),
        )),
      )
  }
  const remarks = [...prepared.remarks, ...test.remarks]
  if (selected.length === 0 && suites.length === 0) remarks.push(noScenario(scenarios.length, wanted.tags))
  const escapes = await work.network().escapes()
  results.push(...reaches(escapes, spec.escapes))
  const verdict = verdictOn(prepared.subject, results, remarks, escapes)
  return await conclude(concealed(verdict, known), {
    work,
    workers,
    rollbacks: test.rollbacks,
    only: scenarios.filter(({ only }) => only),
  })
}

export const vmValidate = vmValidateOn((work) => driverNamed(work.project.spec.validate.hypervisor, work))

/** The packed OVA on hardware as customers have it, one machine after the other. */
async function runMatrix(
  course: Course,
  publicKey: string,
  machine: MachineSpec,
  scenarios: readonly Scenario[],
  driver: Hypervisor,
  work: Work,
): Promise<ScenarioResult[]> {
  const matrix = course.spec.validate.matrix!
  const named = scenarios.filter(({ name }) => matrix.scenarios.includes(name))
  const results: ScenarioResult[] = []
  const context = { spec: work.project.spec, publicKey, disk: machine.disk, sealed: true }
  const { hardware: tried, remarks } = hardwareToTry(matrix, machine, driver)
  remarks.forEach(course.test.remark)
  for (const hardware of tried) {
    if (course.holding.held) break
    const stand = { machine, driver, welcome: work.network().welcome }
    const run = () => runHardware(hardware, course, context, named, stand)
    results.push(...(await during(work, hardwareName(hardware), run)))
  }
  return results
}

/** Which scenarios were asked for; of an OVA, the ones tagged `smoke` unless something else is said. */
function selection({ inputs }: Work): Selection {
  const tags = (inputs.tags ?? '').split(/[\s,]+/).filter(Boolean)
  const names = (inputs.scenario ?? '')
    .split('\n')
    .map((name) => name.trim())
    .filter(Boolean)
  if (inputs.ova !== undefined && tags.includes('all')) return { names, tags: [], byTag: false }
  const smoke = inputs.ova !== undefined && tags.length === 0 && names.length === 0
  return { names, tags: smoke ? ['smoke'] : tags, byTag: tags.length > 0 }
}

function noScenario(all: number, tags: readonly string[]): string {
  return all === 0
    ? 'the spec names no scenarios (validate.scenarios): nothing but the machine itself was tried'
    : `none of the ${all} scenarios was run: none is tagged ${tags.join(' or ')}`
}

/** Nothing of an earlier run may be taken for this one's. Folders of variants lie in the stage's and stay. */
async function clean(folder: string): Promise<void> {
  for (const name of ['evidence', 'report.xml', 'report.html', 'summary.md', 'verdict.json'])
    await rm(join(folder, name), { recursive: true, force: true })
  await mkdir(join(folder, 'evidence'), { recursive: true })
}

async function digestIfThere(path: string): Promise<string> {
  return await treeDigest(path).catch(() => '')
}
