import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Recipe, RecipeFile } from '../../lib/definition/recipe-types.ts'
import { ApplianceError } from '../../lib/errors/error.ts'
import type { Guest } from '../../lib/guest/guest.ts'
import { quote } from '../../lib/guest/quote.ts'
import type { Log } from '../../lib/log/log.ts'
import { formatDuration } from '../../lib/units/duration.ts'
import { contentOf } from './answers.ts'
import { additionsIn } from './guest-additions.ts'
import { commandFor } from './script-command.ts'
import type { ScriptMirror } from './script-mirror.ts'

/** A machine whose system runs, and the definition whose scripts it is to run. */
export interface Scripted {
  recipe: Recipe
  /** The definition's folder. */
  folder: string
  /** Packages of hypervisors' extensions that are meant to be there. */
  allowed: readonly string[]
  /** A folder for temporary files. */
  work: string
  log: Log
  signal: AbortSignal
  /** What scripts may install from; undefined where the mirror has no packages. */
  mirror: ScriptMirror | undefined
  /** Logs in; again after a script has restarted the machine. */
  login(): Promise<Guest>
}

/**
 * Runs a definition's scripts as VeeWee did: all are copied to the user's home first, with `.veewee_params`; each is
 * run there through `sudo_cmd`, or plainly for root; a leading `_` skips one; a script may restart the machine. Beyond
 * VeeWee, those that would install a hypervisor's extensions are skipped, and none stays on the machine.
 *
 * @throws ApplianceError `guest-failed` naming the script; `timeout`
 */
export async function runPostinstall(scripted: Scripted): Promise<void> {
  const { recipe, log, mirror } = scripted
  const { files } = recipe.postinstall
  if (files.length === 0) return
  let guest = await scripted.login()
  await mirror?.open(guest)
  await copyScripts(scripted, guest)
  for (const file of files) {
    const skipped = await whySkipped(file, scripted)
    if (skipped) {
      log.info(`postinstall ${file.name}: skipped, ${skipped}`)
      continue
    }
    const began = performance.now()
    const lost = await log.group(`postinstall ${file.name}`, () => runScript(file.name, guest, scripted))
    if (lost) {
      log.info(`postinstall ${file.name}: the connection is gone; logging in again`)
      guest = await scripted.login()
      await mirror?.open(guest)
    }
    log.info(`postinstall ${file.name}: ${formatDuration(performance.now() - began)}`)
  }
  await mirror?.close(guest)
  const copies = [
    ...files.map(({ name }) => name),
    recipe.postinstall.before?.name ?? [],
    '.veewee_params',
  ].flat()
  await guest.run(`cd ~ && rm -f -- ${copies.map((name) => quote(name)).join(' ')}`, {
    signal: scripted.signal,
  })
}

/** Returns whether the connection broke meanwhile, as it does when a script restarts the machine. */
async function runScript(name: string, guest: Guest, { recipe, log, signal }: Scripted): Promise<boolean> {
  try {
    await guest.run(`cd ~ && ${commandFor(`./${name}`, recipe)}`, {
      signal,
      title: `postinstall ${name}`,
      timeout: recipe.postinstall.timeout * 1000,
      onOutput: (text) => log.guest(text),
    })
    return false
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'no-answer') return true
    throw error
  }
}

async function copyScripts({ recipe, folder, work, signal }: Scripted, guest: Guest): Promise<void> {
  const { files, before, parameters } = recipe.postinstall
  const home = (await guest.run('cd ~ && pwd', { signal })).stdout.trim()
  const scripts = join(work, 'postinstall')
  await mkdir(scripts, { recursive: true })
  const put = async (name: string, content: Buffer, mode: number) => {
    const from = join(scripts, name)
    await writeFile(from, content)
    await guest.upload(from, join(home, name), { mode, ownFile: true, signal })
  }
  for (const file of files) await put(file.name, await contentOf(file, folder), 0o755)
  if (before)
    await put(before.name, Buffer.concat([await contentOf(before, folder), Buffer.from('\n$1\n')]), 0o755)
  await put('.veewee_params', Buffer.from(parameterFile(parameters)), 0o644)
}

/** As VeeWee wrote it: for scripts to source. */
export function parameterFile(parameters: Readonly<Record<string, string>>): string {
  const own = Object.entries(process.env).filter(([name]) => name.startsWith('VEEWEE_'))
  return [...Object.entries(parameters), ...own]
    .map(([name, value]) => `export ${name}=${quote(value ?? '')}\n`)
    .join('')
}

/** Why a script is not run; undefined when it is. */
async function whySkipped(
  file: RecipeFile & { skipped: boolean },
  { folder, allowed, log }: Scripted,
): Promise<string | undefined> {
  if (file.skipped) return 'because its name begins with _'
  const found = additionsIn(file.name, (await contentOf(file, folder)).toString('latin1'), allowed)
  if (!found) return undefined
  if (found.whole)
    return `because it is for ${found.what}; where that is meant, name its package under basebox.allow`
  log.warn(
    `postinstall ${file.name} mentions ${found.what} on line ${found.line}: what it installs of it, the look at the disk will refuse`,
  )
  return undefined
}
