import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError } from '../lib/errors/error.ts'
import { refuse } from '../lib/errors/fault.ts'
import { writeAtomically, writeJson } from '../lib/files/atomic.ts'
import { sha256 } from '../lib/files/digest.ts'
import { treeDigest } from '../lib/files/tree.ts'
import type { Hypervisor } from '../lib/hypervisor/hypervisor.ts'
import { qemu } from '../lib/hypervisor/qemu/hypervisor.ts'
import type { Scenario } from '../lib/spec/scenario.ts'
import { readScenarios } from '../lib/spec/scenarios.ts'
import type { Stage, StageResult, StageWork } from '../lib/stage/stage.ts'
import { bootMachine, checkHygiene, checkListens } from './checks-run.ts'
import type { Course } from './course.ts'
import { type Selection, select, stepFaults, uploadedFiles } from './faults.ts'
import { inputs } from './inputs.ts'
import { junitXml } from './junit.ts'
import { reaches } from './reaches.ts'
import { runScenario } from './scenario-run.ts'
import { prepareSubject, subjectDigest } from './subject.ts'
import { summaryMarkdown } from './summary.ts'
import { testMachine } from './test-machine.ts'
import { variablesOf } from './variables.ts'
import { failedStep, type ScenarioResult, type Verdict, verdictOn, verdictRecord } from './verdict.ts'

const RECIPE = '1'

type Work = StageWork<typeof inputs>

/** The vm-validate stage on a hypervisor of choice. */
export function vmValidateOn(hypervisor: (work: StageWork) => Hypervisor): Stage<typeof inputs> {
  return {
    name: 'vm-validate',
    description: 'Boots the disk, or the packed OVA, and tries everything that its scenarios say',
    inputs,
    outputs: {
      verdict: 'passed (a failed verdict is an error, and is written all the same)',
      'disk-sha256': 'SHA-256 of the disk image that was validated',
      report: 'JUnit XML',
      summary: 'Markdown, failures first',
      details: 'The verdict as JSON',
      evidence: 'Folder of what shows why something failed, and of the serial console',
    },
    place: 'private-network',
    // Only a run of everything may vouch for the disk, and what a selection found must not replace it.
    variant: ({ ova, tags, scenario }) =>
      ova !== undefined ? 'ova' : tags !== undefined || scenario !== undefined ? 'selected' : undefined,

    async dependsOn(work) {
      const { spec, directory } = work.project
      const scenarios = await readScenarios(spec, directory)
      return {
        recipe: RECIPE,
        [work.inputs.ova === undefined ? 'disk' : 'ova']: await subjectDigest(work),
        scenarios: sha256(JSON.stringify(scenarios.map(({ lines: _, ...scenario }) => scenario))),
        uploads: sha256(
          JSON.stringify(await Promise.all(uploadedFiles(scenarios, directory).map(digestIfThere))),
        ),
        selection: JSON.stringify(selection(work)),
        'spec.validate': JSON.stringify([
          spec.name,
          spec.version,
          spec.variables,
          spec.secrets,
          spec.validate.listens ?? null,
        ]),
        'spec.hardware': JSON.stringify([spec.basebox.cpus, spec.basebox.memory, spec.pack.hardware]),
      }
    },

    async run(work): Promise<StageResult> {
      const { spec, directory } = work.project
      const sealed = work.inputs.ova !== undefined
      const scenarios = await readScenarios(spec, directory)
      const variables = variablesOf(spec, process.env)
      const wanted = selection(work)
      const { selected, faults } = select(scenarios, wanted)
      refuse([...faults, ...variables.faults, ...(await stepFaults(scenarios, directory))])
      for (const secret of variables.secrets) work.log.mask(secret)

      await clean(work.outDirectory)
      const prepared = await work.timed('reading', () => prepareSubject(work))
      await using test = testMachine(hypervisor(work), prepared.machine, work.log, work.network().welcome)
      const course: Course = {
        test,
        project: directory,
        workDirectory: work.workDirectory,
        outDirectory: work.outDirectory,
        variables: variables.values,
        secrets: variables.secrets,
        tags: wanted.byTag ? wanted.tags : [],
        folders: new Set(['machine']),
        log: work.log,
        signal: work.signal,
      }

      const results = [await work.timed('boot', () => bootMachine(course))]
      if (results[0]!.status === 'passed') {
        const publicKey = await readFile(`${prepared.machine.login.key}.pub`, 'utf8')
        if (sealed)
          results.push(
            await work.timed('checks', () => checkHygiene({ publicKey, hostname: spec.name }, course)),
          )
        const { listens } = spec.validate
        if (listens) results.push(await work.timed('checks', () => checkListens(listens, course)))
        if (selected.length > 0) await work.timed('snapshot', () => test.keep(work.signal))
        for (const scenario of selected)
          results.push(await work.timed('scenarios', () => runDuring(scenario, course, work)))
      }
      const remarks = [...prepared.remarks, ...test.remarks]
      if (selected.length === 0) remarks.push(noScenario(scenarios.length, wanted.tags))
      const escapes = await work.network().escapes()
      results.push(...reaches(escapes, spec.escapes))
      const verdict = verdictOn(prepared.subject, results, remarks, escapes)
      return await conclude(verdict, work)
    },
  }
}

export const vmValidate = vmValidateOn(qemu)

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

/** Whoever tries to leave does so during a scenario with a name. */
function runDuring(scenario: Scenario, course: Course, work: Work): Promise<ScenarioResult> {
  const network = work.network()
  const doIt = () => runScenario(scenario, course)
  return network.during ? network.during(scenario.name, doIt) : doIt()
}

/** Nothing of an earlier run may be taken for this one's. Folders of variants lie in the stage's and stay. */
async function clean(folder: string): Promise<void> {
  for (const name of ['evidence', 'report.xml', 'summary.md', 'verdict.json'])
    await rm(join(folder, name), { recursive: true, force: true })
  await mkdir(join(folder, 'evidence'), { recursive: true })
}

/** Writes all reports; then a failed verdict is an error that names each failure and its evidence. */
async function conclude(verdict: Verdict, { outDirectory }: Work): Promise<StageResult> {
  const path = (name: string) => join(outDirectory, name)
  await writeAtomically(path('report.xml'), junitXml(verdict))
  await writeAtomically(path('summary.md'), summaryMarkdown(verdict))
  await writeJson(path('verdict.json'), verdictRecord(verdict))
  const failed = verdict.results.filter(({ status }) => status === 'failed')
  if (failed.length > 0)
    throw new ApplianceError(
      'check-failed',
      failed.map((result) => failureLine(result, outDirectory)).join('\n'),
      {
        hint: `Everything that was found is in ${path('summary.md')}.`,
        evidence: ['summary.md', 'report.xml', ...failed.flatMap(({ evidence }) => evidence)].map(path),
      },
    )
  return {
    outputs: {
      verdict: { value: 'passed' },
      'disk-sha256': { value: verdict.subject.diskSha256 },
      report: { path: path('report.xml') },
      summary: { path: path('summary.md') },
      details: { path: path('verdict.json') },
      evidence: { path: path('evidence') },
    },
    tools: {},
  }
}

function failureLine(result: ScenarioResult, outDirectory: string): string {
  const step = failedStep(result)!
  const place = result.kind === 'scenario' ? `step ${result.steps.indexOf(step) + 1}, ` : ''
  const files = result.evidence.map((file) => join(outDirectory, file)).join(', ')
  return `${result.name}: ${place}${step.title}: ${step.finding}${files ? `; see ${files}` : ''}`
}

async function digestIfThere(path: string): Promise<string> {
  return await treeDigest(path).catch(() => '')
}
