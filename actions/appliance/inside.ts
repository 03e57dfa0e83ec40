import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { ApplianceError, toApplianceError } from '../lib/errors/error.ts'
import type { Fault } from '../lib/errors/fault.ts'
import type { Log } from '../lib/log/log.ts'
import { accessLine } from '../lib/mirror/serve/access.ts'
import { type MirrorServer, serveTree } from '../lib/mirror/serve.ts'
import { mirrorTree } from '../lib/mirror/tree-place.ts'
import { type WatchedNetwork, watched } from '../lib/network/attempts.ts'
import { canEnter, enter } from '../lib/network/enter.ts'
import { privateNetwork } from '../lib/network/private.ts'
import { withoutProxies } from '../lib/network/proxies.ts'
import { userNetwork } from '../lib/network/user.ts'
import { ending, launch } from '../lib/process/command.ts'
import { manyMayListen } from '../lib/runner/signals.ts'
import { peakMemory, stageFolder, stageWork, type WorkDone } from '../lib/stage/execute.ts'
import { openProject } from '../lib/stage/project.ts'
import { fingerprint } from '../lib/stage/record.ts'
import type { Project, Stage, StageName } from '../lib/stage/stage.ts'
import { reportWishes, type Wishes, wishesMarkdown } from './escapes.ts'
import { keepRefused, takeRefused } from './refused.ts'
import { stageNamed } from './stages.ts'

/** Set in the child that does a stage's work; its request comes over the IPC channel. */
const MARK = 'APPLIANCE_INSIDE'
/** Of what is short-lived in a stage most is buffers: V8 would let 3 × 16 MiB of them gather before it looks. */
const YOUNG = '--max-semi-space-size=2'
/**
 * What threads that have ended had allocated is used again by the others, 45 MB of it when packing; not for what we start.
 * @see mallopt(3), M_ARENA_MAX
 */
const ONE_ARENA = { MALLOC_ARENA_MAX: '1' }

interface Request {
  stage: StageName
  directory: string
  specFile: string
  version: string
  inputs: Record<string, unknown>
  network: 'private' | 'user'
  rereads: boolean
}

type Answer = Wishes &
  (
    | { done: WorkDone }
    | {
        failed: {
          code: ApplianceError['code']
          message: string
          hint?: string
          evidence: string[]
          faults: readonly Fault[]
          outputs: Readonly<Record<string, string>>
          stack?: string
        }
      }
  )

/** What the outer process needs to know to start the inner one. */
export interface Door {
  log: Log
  signal: AbortSignal
  /** How this very program is started again: the script, and the arguments that let it know its kind of log. */
  entry: readonly string[]
  /** What is there already is to be read byte by byte (see StageWork). */
  rereads?: boolean
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
  const folder = stageFolder(stage, project, inputs)
  const before = stageWork(stage, project, inputs as never, door.log, door.signal, {})
  const madeFrom = fingerprint(await stage.dependsOn(before))
  const refused = await takeRefused(folder, madeFrom)
  if (refused && project.spec.escapes === 'warn') {
    door.log.warn(
      `${stage.name}: what it made is taken as it is, because the spec says \`escapes: warn\` now`,
    )
    return refused
  }
  const network = await chooseNetwork(project, door.log)
  const prefix = network === 'private' ? enter() : []
  const node = [process.execPath, ...process.execArgv, YOUNG]
  const [command, ...args] = [...prefix, ...node, ...door.entry] as [string, ...string[]]
  const child = launch(command, args, { env: { ...withoutProxies, ...ONE_ARENA, [MARK]: '1' } }, [
    'ignore',
    'inherit',
    'inherit',
    'ipc',
  ])
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
    rereads: door.rereads ?? false,
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
  const escaped = await reportWishes(stage.name, folder, answer, project.spec.escapes, door.log)
  if ('done' in answer) {
    if (!escaped) return summarised(stage, answer.done, answer)
    await keepRefused(folder, madeFrom, answer.done)
    throw escaped
  }
  const { code, message, hint, stack, ...more } = answer.failed
  const cause = new Error(message)
  if (stack) cause.stack = stack
  throw new ApplianceError(code, message, { ...(hint ? { hint } : {}), ...more, cause })
}

/** vm-validate tells in its own summary. */
function summarised(stage: Stage, done: WorkDone, wishes: Wishes): WorkDone {
  const summary = stage.name === 'vm-validate' ? undefined : wishesMarkdown(stage.name, wishes)
  if (summary === undefined) return done
  const { thisRun } = done.result
  const whole = [thisRun?.summary, summary].filter((part) => part !== undefined).join('\n')
  return { ...done, result: { ...done.result, thisRun: { values: thisRun?.values ?? {}, summary: whole } } }
}

/** The kind of network that machines of a project get here. */
export async function chooseNetwork(project: Project, log: Log): Promise<'private' | 'user'> {
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

/** Whether this process is the inner one. */
export function isInside(): boolean {
  return process.env[MARK] === '1'
}

/** The inner process: takes one request, works, answers, ends. */
export async function serveInside(log: Log): Promise<void> {
  for (const name of Object.keys(ONE_ARENA)) delete process.env[name]
  const stopped = new AbortController()
  manyMayListen(stopped.signal)
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
  const wishes: Wishes = { escapes: [], lacking: [] }
  try {
    const project = await openProject(request.directory, request.specFile, { version: request.version })
    const stage = stageNamed(request.stage)
    const parts: Record<string, number> = {}
    const folder = stageFolder(stage, project, request.inputs)
    await using mirror = mirrorOf(project, folder, log)
    await using network = await openNetwork(request.network, mirror.serve, log)
    try {
      const work = stageWork(
        stage,
        project,
        request.inputs as never,
        log,
        signal,
        parts,
        network,
        request.rereads,
      )
      const timed: typeof work.timed = (part, doIt) => network.during(part, () => work.timed(part, doIt))
      const result = await stage.run({ ...work, timed })
      return { done: { result, parts, peakMemory: peakMemory() }, ...(await wishesNow(network, mirror)) }
    } finally {
      Object.assign(wishes, await wishesNow(network, mirror))
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
        faults: error.faults,
        outputs: error.outputs,
        ...(stack ? { stack } : {}),
      },
      ...wishes,
    }
  }
}

async function wishesNow(network: WatchedNetwork, mirror: StageMirror): Promise<Wishes> {
  return { escapes: await network.escapes(), lacking: mirror.server()?.lacking() ?? [] }
}

/** The mirror as a stage's machines see it. */
interface StageMirror extends AsyncDisposable {
  serve(host: string, port: number): Promise<AsyncDisposable>
  /** undefined until it serves. */
  server(): MirrorServer | undefined
}

/** Every request is a line of the folder's `access.log`. */
export function mirrorOf(project: Project, folder: string, log: Log): StageMirror {
  const tree = mirrorTree(project)
  let server: MirrorServer | undefined
  let written = Promise.resolve()
  return {
    server: () => server,
    async serve(host, port) {
      await mkdir(folder, { recursive: true })
      const lines = createWriteStream(join(folder, 'access.log'))
      lines.once('error', (error) => log.warn(`access.log: ${error.message}`))
      server = await serveTree(tree, host, port, {
        onAccess: (access) => void (lines.writable && lines.write(`${accessLine(access)}\n`)),
        onFailure: (error) => log.warn(`the mirror: ${error.message}`),
      })
      const serving = server
      return {
        async [Symbol.asyncDispose]() {
          await serving[Symbol.asyncDispose]()
          lines.end()
          written = finished(lines).catch(() => {})
        },
      }
    },
    [Symbol.asyncDispose]: () => written,
  }
}

/** To be called inside (see `enter`), unless the kind is `user`. */
export async function openNetwork(
  kind: 'private' | 'user',
  serve: StageMirror['serve'],
  log: Log,
): Promise<WatchedNetwork> {
  const open = kind === 'private' ? privateNetwork : userNetwork
  return watched(await open({ serve, log }))
}
