import { dirname, resolve } from 'node:path'
import { type ApplianceError, exitStatus, toApplianceError } from '../lib/errors/error.ts'
import { jsonLog } from '../lib/log/json.ts'
import { type DoorLog, plainLog, standardLines } from '../lib/log/plain.ts'
import { terminalLog } from '../lib/log/terminal.ts'
import { settleProxies } from '../lib/network/proxies.ts'
import { endedStep } from '../lib/runner/post.ts'
import { interruption } from '../lib/runner/signals.ts'
import { workflowLog } from '../lib/runner/workflow-log.ts'
import { act } from './action.ts'
import { runCommand as command } from './command.ts'
import type { ActionName } from './contract.ts'
import { type Door, isInside, serveInside } from './inside.ts'
import { afterStep } from './post.ts'
import { isKeeper, keep } from './vm-keeper.ts'

/** `appliance ARGV`, from a shell: the door of `dist/cli/index.js`. */
export async function runCommand(argv: readonly string[]): Promise<void> {
  const isLogFlag = (word: string) => word === '--json' || word === '--debug'
  const logFlags = argv.filter(isLogFlag)
  const words = argv.filter((word) => !isLogFlag(word))
  const debug = logFlags.includes('--debug') || process.env.RUNNER_DEBUG === '1'
  const log = logFlags.includes('--json')
    ? jsonLog({ debug, out: standardLines.out })
    : process.stderr.isTTY
      ? terminalLog({ debug, screen: process.stderr })
      : plainLog({ debug, lines: standardLines })
  await through(log, logFlags, (door) => command(words, door))
}

/** One step of a workflow: the door of `dist/<action>/index.js`. */
export async function runAction(name: ActionName): Promise<void> {
  const { 'INPUT_WORKING-DIRECTORY': working = '.', INPUT_SPEC: spec } = process.env
  // Faults name files from the spec's folder on.
  const directory = () => dirname(resolve(working, spec || 'appliance.yml'))
  // The pipeline's outer process shows each stage as a group; runners' groups do not nest.
  const open = name === 'appliance' && isInside() ? 1 : 0
  const failure = await through(workflowLog(directory, open), [], (door) => act(name, door))
  // A request to GitHub that nobody waits for any more must not keep a cancelled step until the runner kills it.
  if (failure?.code === 'interrupted') process.exit(exitStatus(failure))
}

/** What follows a job, for each action that ran in it: the door of `dist/post/index.js`. */
export async function runPost(): Promise<void> {
  await through(
    workflowLog(() => resolve(endedStep().workingDirectory || '.')),
    [],
    afterStep,
  )
}

/**
 * Opens a door: the same program is the outer process and, started again by itself, the inner one.
 *
 * @returns how the work failed, if it did
 */
async function through(
  log: DoorLog,
  args: readonly string[],
  work: (door: Door) => Promise<void>,
): Promise<ApplianceError | undefined> {
  // Whoever reads our output may have had enough (`appliance help | head -1`).
  process.stdout.on('error', () => process.exit(141))
  if (isKeeper()) return void (await keep(log))
  if (isInside()) return void (await serveInside(log))
  settleProxies(process.env)
  using stopped = interruption()
  try {
    await work({ log, signal: stopped.signal, entry: [process.argv[1]!, ...args] })
    return undefined
  } catch (thrown) {
    const error = toApplianceError(thrown)
    log.failure(error)
    process.exitCode = exitStatus(error)
    return error
  }
}
