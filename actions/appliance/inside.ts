import { join } from 'node:path'
import { ApplianceError, toApplianceError } from '../lib/errors/error.ts'
import { writeJson } from '../lib/files/atomic.ts'
import type { Log } from '../lib/log/log.ts'
import { serveTree } from '../lib/mirror/serve.ts'
import { canEnter, enter } from '../lib/network/enter.ts'
import type { Escape, MachineNetwork } from '../lib/network/network.ts'
import { privateNetwork } from '../lib/network/private.ts'
import { userNetwork } from '../lib/network/user.ts'
import { ending, launch } from '../lib/process/command.ts'
import { peakMemory, stageFolder, stageWork, type WorkDone } from '../lib/stage/execute.ts'
import { openProject } from '../lib/stage/project.ts'
import type { Project, Stage, StageName } from '../lib/stage/stage.ts'
import { stageNamed } from './stages.ts'

/** Set in the child that does a stage's work; its request comes over the IPC channel. */
const MARK = 'APPLIANCE_INSIDE'

interface Request {
  stage: StageName
  directory: string
  specFile: string
  version: string
  inputs: Record<string, unknown>
  network: 'private' | 'user'
}

type Answer =
  | { done: WorkDone; escapes: Escape[] }
  | {
      failed: {
        code: ApplianceError['code']
        message: string
        hint?: string
        evidence: string[]
        stack?: string
      }
      escapes: Escape[]
    }

/** What the outer process needs to know to start the inner one. */
export interface Door {
  log: Log
  signal: AbortSignal
  /** How this very program is started again: the script, and the arguments that let it know its kind of log. */
  entry: readonly string[]
}

/**
 * Runs a stage in a child of ours, in a namespace whose only inhabitant besides it is the mirror (DESIGN §6).
 * Everything in there ends when the child ends, and the child ends with us, whatever kills us.
 */
export async function runInside(
  stage: Stage,
  project: Project,
  inputs: Record<string, unknown>,
  door: Door,
): Promise<WorkDone> {
  const network = await chooseNetwork(project, door.log)
  const prefix = network === 'private' ? enter() : []
  const [command, ...args] = [...prefix, process.execPath, ...process.execArgv, ...door.entry] as [
    string,
    ...string[],
  ]
  const child = launch(command, args, { env: { [MARK]: '1' } }, ['ignore', 'inherit', 'inherit', 'ipc'])
  const ended = ending(child, command)
  let answer: Answer | undefined
  child.on('message', (message) => {
    answer = message as Answer
  })
  child.send({
    stage: stage.name,
    directory: project.directory,
    specFile: project.specFile,
    version: project.spec.version,
    inputs,
    network,
  } satisfies Request)
  // The child stops its machines itself; one that does not in five seconds is killed with all it started.
  const stop = () => {
    if (child.connected) child.send('stop')
    setTimeout(() => child.kill('SIGKILL'), 5000).unref()
  }
  door.signal.addEventListener('abort', stop, { once: true })
  if (door.signal.aborted) stop()
  const status = await ended.finally(() => door.signal.removeEventListener('abort', stop))
  door.signal.throwIfAborted()
  if (!answer)
    throw new ApplianceError('internal', `${stage.name}: its process ended (${status}) without a word`)
  await reportEscapes(stage, stageFolder(stage, project, inputs), answer.escapes, door.log)
  if ('done' in answer) return answer.done
  const { code, message, hint, evidence, stack } = answer.failed
  const cause = new Error(message)
  if (stack) cause.stack = stack
  throw new ApplianceError(code, message, { ...(hint ? { hint } : {}), evidence, cause })
}

async function chooseNetwork(project: Project, log: Log): Promise<'private' | 'user'> {
  if (project.spec.network === 'user') return 'user'
  const problems = await canEnter()
  if (problems.length === 0) return 'private'
  const why = problems.map((problem) => problem.what).join('; ')
  if (project.spec.network === 'private')
    throw new ApplianceError('missing-tool', `network: private is not possible here: ${why}`, {
      hint: problems.map((problem) => problem.remedy).join(' '),
    })
  log.warn(
    `network: user (QEMU's own), because ${why}. ${problems.map((problem) => problem.remedy).join(' ')}`,
  )
  return 'user'
}

async function reportEscapes(stage: Stage, folder: string, escapes: Escape[], log: Log): Promise<void> {
  await writeJson(join(folder, 'escapes.json'), escapes)
  if (escapes.length === 0) return
  log.warn(`${stage.name}: tried to reach what is not in the mirror (and could not):`)
  for (const { to, how, times } of escapes) log.warn(`  ${to} (${how}), ${times} ×`)
}

/** Whether this process is the inner one. */
export function isInside(): boolean {
  return process.env[MARK] === '1'
}

/** The inner process: takes one request, works, answers, ends. */
export async function serveInside(log: Log): Promise<void> {
  const stopped = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => stopped.abort())
  process.on('disconnect', () => stopped.abort())
  const request = await new Promise<Request>((resolve) => {
    process.on('message', (message) => (message === 'stop' ? stopped.abort() : resolve(message as Request)))
  })
  const answer = await answerTo(request, log, stopped.signal)
  await new Promise<void>((resolve) => process.send!(answer, () => resolve()))
  process.disconnect()
  // Sockets of the mirror or of a killed machine must not keep a finished process alive.
  process.exit(0)
}

async function answerTo(request: Request, log: Log, signal: AbortSignal): Promise<Answer> {
  let escapes: Escape[] = []
  try {
    const project = await openProject(request.directory, request.specFile, { version: request.version })
    const stage = stageNamed(request.stage)
    const parts: Record<string, number> = {}
    await using network = await openNetwork(request.network, project, log)
    try {
      const work = stageWork(stage, project, request.inputs as never, log, signal, parts, network)
      const result = await stage.run(work)
      return { done: { result, parts, peakMemory: peakMemory() }, escapes: await network.escapes() }
    } finally {
      escapes = await network.escapes()
    }
  } catch (thrown) {
    const error = toApplianceError(thrown)
    const stack =
      (error.code === 'internal' ? (error.cause as Error | undefined) : undefined)?.stack ?? error.stack
    return {
      failed: {
        code: error.code,
        message: error.message,
        ...(error.hint ? { hint: error.hint } : {}),
        evidence: error.evidence,
        ...(stack ? { stack } : {}),
      },
      escapes,
    }
  }
}

async function openNetwork(kind: 'private' | 'user', project: Project, log: Log): Promise<MachineNetwork> {
  const tree = join(project.buildDirectory, 'mirror-deps', 'tree')
  const serve = (host: string, port: number) => serveTree(tree, host, port)
  return kind === 'private' ? privateNetwork({ serve, log }) : userNetwork({ serve, log })
}
