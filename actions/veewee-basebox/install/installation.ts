import { mkdir, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Film, startFilm } from '../../lib/console/film.ts'
import { playKeys } from '../../lib/console/play.ts'
import { lastLines, shownText } from '../../lib/console/screen.ts'
import { fillIn } from '../../lib/definition/boot-command.ts'
import type { Definition } from '../../lib/definition/definition.ts'
import type { Recipe } from '../../lib/definition/recipe-types.ts'
import { ApplianceError } from '../../lib/errors/error.ts'
import type { Guest } from '../../lib/guest/guest.ts'
import { driverNamed } from '../../lib/hypervisor/drivers.ts'
import type { Machine } from '../../lib/hypervisor/hypervisor.ts'
import type { Lock } from '../../lib/lock/lock.ts'
import { mirrorTree } from '../../lib/mirror/tree-place.ts'
import type { StageWork } from '../../lib/stage/stage.ts'
import type { ToolsRoot } from '../../lib/tools/tools.ts'
import { type Answers, serveAnswers } from './answers.ts'
import { makeFloppy } from './floppy.ts'
import { isoInMirror } from './iso.ts'
import { installingMachine } from './machine.ts'
import { runPostinstall } from './postinstall.ts'
import { mirrorForScripts } from './script-mirror.ts'
import { shutDown } from './shutdown.ts'

export interface InstallOrder {
  definition: Definition
  lock: Lock
  /** The disk to make, raw. */
  raw: string
  tools: ToolsRoot
}

/**
 * Installs a system by running a VeeWee definition: its ISO image boots, its keys are typed, its answers are served,
 * and when the machine lets us in, its scripts are run.
 *
 * @throws ApplianceError with the newest picture of the screen, the film, and the serial console as evidence
 */
export async function installByDefinition(work: StageWork, order: InstallOrder): Promise<void> {
  const { definition, lock, raw, tools } = order
  const { log, signal, workDirectory } = work
  const recipe = definition.recipe!
  const folder = definition.folder
  const tree = mirrorTree(work.project)
  const iso = await work.timed('iso', () => isoInMirror(recipe.iso!, lock, tree, signal))
  const more = await makeDisks(raw, recipe, workDirectory)
  const floppy = recipe.floppy.length > 0 ? join(workDirectory, 'floppy.img') : undefined
  if (floppy) await makeFloppy(floppy, recipe.floppy, folder, workDirectory, tools)

  const host = addressOfOurs(work)
  await using answers = recipe.kickstart ? await serveAnswers(recipe.kickstart, folder, host, log) : undefined
  const spec = installingMachine(work, definition, { raw, iso, floppy, more })
  const hypervisor = await driverNamed(work.project.spec.basebox.hypervisor, work)
  await using machine = await hypervisor.boot(spec, signal)
  await using film = await startFilm(machine.console, join(spec.evidence, 'film'))
  try {
    await work.timed('typing', () => typeBootCommand(machine, order, host, answers, work, spec.evidence))
    const guest = await work.timed('installing', () => loggedIn(machine, recipe, work))
    await work.timed('postinstall', () =>
      runPostinstall({
        recipe,
        folder,
        allowed: work.project.spec.basebox.allow,
        work: workDirectory,
        log,
        signal,
        mirror: mirrorForScripts(work, lock, recipe),
        login: oncePerBoot(guest, () => loggedIn(machine, recipe, work)),
      }),
    )
    await work.timed('shutdown', () => shutDown(machine, recipe, work))
  } catch (error) {
    signal.throwIfAborted()
    throw await withEvidence(error, { film, machine, answers, folder: join(spec.evidence, 'film') })
  }
  for (const name of answers?.unfetched() ?? [])
    log.warn(`answers: nobody fetched ${name}: the installer did without`)
}

/** Sparse, and nothing on them: a machine with such a disk starts from its CD. Returns the further ones. */
async function makeDisks(raw: string, { disks }: Recipe, workDirectory: string): Promise<string[]> {
  const more = Array.from({ length: disks.count - 1 }, (_, n) => join(workDirectory, `disk-${n + 2}.raw`))
  await mkdir(workDirectory, { recursive: true })
  for (const path of [raw, ...more]) {
    await rm(path, { force: true })
    await writeFile(path, '')
    await truncate(path, disks.size)
  }
  return more
}

/** Our address as the machine sees it. */
function addressOfOurs(work: StageWork): string {
  const { hostAddress } = work.network()
  if (hostAddress !== undefined) return hostAddress
  throw new ApplianceError('missing-tool', 'definitions are installed in the private network alone', {
    hint: 'Leave network: out of the spec; `appliance doctor` says what the private network needs. Or write strategy: bootstrap.',
  })
}

async function typeBootCommand(
  machine: Machine,
  { definition }: InstallOrder,
  host: string,
  answers: Answers | undefined,
  { log, signal }: StageWork,
  evidence: string,
): Promise<void> {
  const { boot } = definition.recipe!
  const values = { IP: host, PORT: String(answers?.port ?? ''), NAME: definition.name }
  await pause(boot.wait * 1000, undefined, { signal })
  await log.group('typing at the boot prompt', () =>
    playKeys(machine.console, fillIn(boot.keys, values), { log, signal, evidence }),
  )
}

/** Waits until the machine lets us in, and tells meanwhile what its screen shows. */
async function loggedIn(machine: Machine, { ssh }: Recipe, { log, signal }: StageWork): Promise<Guest> {
  const done = new AbortController()
  const telling = tell(machine, log, done.signal)
  try {
    log.info(`waiting for ${ssh.user} to be let in by SSH`)
    return await machine.guest(signal, ssh.timeout * 1000)
  } finally {
    done.abort()
    await telling
  }
}

/** A line whenever the end of the screen has changed, every few seconds at most. */
async function tell(machine: Machine, log: StageWork['log'], signal: AbortSignal): Promise<void> {
  let told = ''
  while (!signal.aborted) {
    const screen = await machine.console.text().catch(() => undefined)
    const now = screen ? lastLines(shownText(screen), 1) : told
    if (now !== told) log.guest(`${now}\n`)
    told = now
    await pause(5000, undefined, { signal }).catch(() => {})
  }
}

/** The first login is there already. */
function oncePerBoot(first: Guest, again: () => Promise<Guest>): () => Promise<Guest> {
  let guest: Guest | undefined = first
  return async () => {
    const here = guest ?? (await again())
    guest = undefined
    return here
  }
}

/** What went wrong, with the film of it, and what of the answers was never asked for. */
async function withEvidence(
  error: unknown,
  seen: { film: Film; machine: Machine; answers: Answers | undefined; folder: string },
): Promise<unknown> {
  if (!(error instanceof ApplianceError)) return error
  await seen.film.look()
  const missing = seen.answers?.unfetched() ?? []
  const unasked = missing.length > 0 ? `; nobody fetched ${missing.join(', ')}` : ''
  const evidence = [seen.film.last, join(seen.folder, 'film.md'), ...seen.machine.evidence, ...error.evidence]
  return new ApplianceError(error.code, `${error.message}${unasked}`, {
    ...(error.hint ? { hint: error.hint } : {}),
    evidence: [...new Set(evidence.filter((path) => path !== undefined))],
    cause: error,
  })
}
