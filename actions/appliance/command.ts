import { join } from 'node:path'
import { refuse } from '../lib/errors/fault.ts'
import { nearest } from '../lib/errors/nearest.ts'
import { type Execution, execute } from '../lib/stage/execute.ts'
import { choice, flag, type InputDeclarations, type InputValues, names, text } from '../lib/stage/input.ts'
import { parseFlags, resolvePaths } from '../lib/stage/parse.ts'
import { type StageName, stageNames } from '../lib/stage/stage.ts'
import { occupy } from '../lib/stage/workplace.ts'
import { formatDuration } from '../lib/units/duration.ts'
import { build, buildTable } from './build.ts'
import { check } from './check.ts'
import { doctor } from './doctor.ts'
import { explainDefinition } from './explain.ts'
import { gc, gcInputs } from './gc.ts'
import { init, initInputs } from './init.ts'
import { type Door, runInside } from './inside.ts'
import { lint, lintInputs } from './lint.ts'
import { lock } from './lock.ts'
import { everywhere, projectOf } from './project.ts'
import { serve } from './serve.ts'
import { stageNamed } from './stages.ts'
import { verify, verifyInputs } from './verify.ts'
import { vm } from './vm.ts'

const buildInputs = {
  from: choice('Work again from this stage on', stageNames),
  until: choice('Stop after this stage', [...stageNames].reverse() as unknown as typeof stageNames),
  verify: flag('Read every byte of earlier results before calling them up to date, and prove the mirror'),
  'renew-lock': flag('When upstream no longer has what the lock names, lock again and go on, saying so'),
  unvalidated: flag('Pack a disk although it was not validated; the report says so'),
  'keep-on-failure': flag(
    'Leave the machine running when a provisioning step or a scenario fails, and say how to enter it',
  ),
}

interface Command {
  summary: string
  inputs: InputDeclarations
  /** What it is about, given without a flag: an input's name. */
  operand?: string
  /** It needs no spec; of the flags that all others have it takes only those it declares itself. */
  anywhere?: true
  run(values: Record<string, unknown>, door: Door): Promise<void>
}

/** What one stage's command can do besides running it. */
const besides: Partial<Record<StageName, InputDeclarations>> = {
  'veewee-basebox': {
    explain: flag('Print the VeeWee definition as it is understood (--json: as VeeWee got it)'),
  },
}

const stageCommands = Object.fromEntries(
  stageNames.map((name): [string, Command] => {
    const stage = stageNamed(name)
    const run = (values: Record<string, unknown>, door: Door) => runStage(name, values, door)
    return [
      name,
      {
        summary: stage.description,
        inputs: { ...stage.inputs, ...besides[name], force: flag('Work even when up to date') },
        run,
      },
    ]
  }),
)

/** The commands of `appliance`, in the order in which the help shows them. */
export const commands: Record<string, Command> = {
  init: {
    summary: 'A new appliance in this folder, ready to build; asks nothing',
    inputs: initInputs,
    anywhere: true,
    run: init,
  },
  check: {
    summary: 'Every fault in spec, lock and scenarios, without downloading or booting',
    inputs: {},
    run: check,
  },
  lock: {
    summary: 'Resolve what the spec names and write appliance.lock.json; says what changed',
    inputs: { update: names('Resolve these sources again although they fit the spec, or all of them') },
    run: lock,
  },
  build: { summary: 'The five stages, each skipped when up to date', inputs: buildInputs, run: runBuild },
  ...stageCommands,
  serve: {
    summary: 'The mirror over HTTP',
    inputs: { address: text('host:port (default 127.0.0.1:8080)') },
    run: serve,
  },
  lint: {
    summary: 'What each hypervisor would refuse in an OVA, any OVA, or warn about',
    inputs: lintInputs,
    operand: 'ova',
    anywhere: true,
    run: lint,
  },
  verify: {
    summary: 'Whether an OVA is what was made: digests, signatures, provenance, SBOM',
    inputs: verifyInputs,
    operand: 'ova',
    anywhere: true,
    run: verify,
  },
  gc: { summary: 'What may go of build/, with sizes; --yes takes it away', inputs: gcInputs, run: gc },
  vm: {
    summary:
      'A machine from the last disk or an OVA, for looking around: boot, ssh, run, rollback … (vm help)',
    inputs: {},
    run: async () => {},
  },
  doctor: {
    summary: 'What this computer lacks, with the command that installs it',
    inputs: {},
    anywhere: true,
    run: doctor,
  },
}

/** Runs `appliance ARGV`; throws what went wrong. */
export async function runCommand(argv: readonly string[], door: Door): Promise<void> {
  const [word, ...rest] = argv
  if (word === 'help' && rest.length > 0) return await runCommand([rest[0]!, '--help'], door)
  if (word === undefined || word === 'help' || word === '--help' || word === '-h')
    return void console.log(help())
  const command = commands[word]
  if (!command) {
    const near = nearest(word, Object.keys(commands))
    return refuse([
      {
        message: `there is no command ${word}${near ? `; did you mean ${near}?` : ''} (appliance help lists them)`,
      },
    ])
  }
  if (word === 'vm') return await vm(rest, door)
  if (rest.includes('--help') || rest.includes('-h')) return void console.log(commandHelp(word, command))
  await command.run(parseFlags(inputsOf(command), rest, command.operand), door)
}

async function runStage(name: StageName, values: Record<string, unknown>, door: Door): Promise<void> {
  const project = await projectOf(values)
  if (values.explain === true) return explainDefinition(project, door)
  await using _ = await occupy(project.buildDirectory)
  const {
    force,
    explain: _explain,
    spec,
    'working-directory': _folder,
    'appliance-version': _version,
    ...inputs
  } = values
  const stage = stageNamed(name)
  const own = resolvePaths(stage.inputs, inputs, String(values['working-directory'] ?? '.'))
  const execution = await execute(stage, project, own, {
    log: door.log,
    signal: door.signal,
    verify: inputs.verify === true,
    force: force === true,
    inside: (inner, _project, innerInputs, rereads) =>
      runInside(inner, project, innerInputs, { ...door, rereads }),
  })
  for (const [output, value] of Object.entries(execution.record.outputs))
    door.log.info(`${output}: ${'value' in value ? value.value : execution.outputs.path(output)}`)
  door.log.info(
    execution.state === 'up-to-date'
      ? `${name}: up to date`
      : `${name}: done in ${formatDuration(execution.milliseconds)}`,
  )
}

async function runBuild(values: Record<string, unknown>, door: Door): Promise<void> {
  const given = values as InputValues<typeof buildInputs>
  const project = await projectOf(values)
  await using _ = await occupy(project.buildDirectory)
  const built = await build({
    ...door,
    project: () => projectOf(values),
    from: given.from,
    until: given.until,
    verify: given.verify,
    renewLock: given['renew-lock'],
    unvalidated: given.unvalidated,
    keeps: { 'keep-on-failure': given['keep-on-failure'] },
  })
  for (const line of buildTable(built).split('\n')) door.log.info(line)
  const pack = built.find(({ title }) => title === 'ova-pack')
  if (pack) door.log.info(mainFile(pack.execution, project.directory))
}

/** The OVA, or what was packed first where `pack.formats` has none. */
function mainFile({ record, outputs }: Execution, directory: string): string {
  if ('ova' in record.outputs) return outputs.path('ova')
  const [first] = JSON.parse(outputs.value('files')) as { path: string }[]
  return join(directory, first!.path)
}

function inputsOf({ inputs, anywhere }: Command): InputDeclarations {
  return anywhere ? inputs : { ...everywhere, ...inputs }
}

function help(): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length))
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`)
  return `appliance COMMAND [--flag …]\n\n${lines.join('\n')}\n\nappliance COMMAND --help shows a command's flags.`
}

function commandHelp(name: string, command: Command): string {
  const inputs = inputsOf(command)
  const width = Math.max(...Object.keys(inputs).map((input) => input.length)) + 2
  const lines = Object.entries(inputs).map(([input, { description, choices }]) => {
    const words = choices ? ` (${choices.join(', ')})` : ''
    return `  ${`--${input}`.padEnd(width)}  ${description}${words}`
  })
  const operand = command.operand ? ` ${command.operand.toUpperCase()}` : ''
  const title = `appliance ${name}${operand}: ${command.summary}`
  return lines.length === 0 ? title : `${title}\n\n${lines.join('\n')}`
}
