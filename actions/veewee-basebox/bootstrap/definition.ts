import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Definition } from '../../lib/definition/definition.ts'
import type { Recipe } from '../../lib/definition/recipe-types.ts'
import { ApplianceError } from '../../lib/errors/error.ts'
import type { Guest } from '../../lib/guest/guest.ts'
import { buildKey } from '../../lib/guest/key.ts'
import { quote } from '../../lib/guest/quote.ts'
import { driverNamed } from '../../lib/hypervisor/drivers.ts'
import type { Login } from '../../lib/hypervisor/hypervisor.ts'
import { run } from '../../lib/process/command.ts'
import type { StageWork } from '../../lib/stage/stage.ts'
import { keyFile } from '../install/machine.ts'
import { runPostinstall } from '../install/postinstall.ts'
import { mirrorForScripts } from '../install/script-mirror.ts'
import { shutDown } from '../install/shutdown.ts'
import { type BootstrapOrder, bootstrapDisk } from './disk.ts'
import { type Account, systemOf, usualAccount } from './system.ts'

export interface DefinedOrder extends Omit<BootstrapOrder, 'system'> {
  definition: Definition
}

/**
 * A definition's machine without its installer: the system comes from the mirror, and the definition's user is let
 * in to run its scripts.
 */
export async function bootstrapByDefinition(work: StageWork, order: DefinedOrder): Promise<void> {
  const { definition, raw, lock } = order
  const recipe = definition.recipe!
  const accounts = await accountsOf(definition)
  await bootstrapDisk(work, { ...order, system: systemOf(work.project.spec, process.env, accounts) })
  if (recipe.postinstall.files.length === 0) return

  const { log, signal, project, outDirectory, workDirectory } = work
  const { cpus, memory, allow: allowed } = project.spec.basebox
  const login = await loginOf(definition, project.buildDirectory)
  const evidence = join(outDirectory, 'evidence')
  const hypervisor = await driverNamed(project.spec.basebox.hypervisor, work)
  await using machine = await hypervisor.boot(
    {
      name: 'postinstall',
      disk: { path: raw, format: 'raw' },
      throwAway: false,
      ...{ cpus, memory, firmware: 'bios', nic: 'virtio', controller: 'virtio' },
      readOnlyDisks: [],
      login,
      evidence,
      accel: project.spec.accel,
    },
    signal,
  )
  const loggedIn = () => machine.guest(signal, recipe.ssh.timeout * 1000)
  await work.timed('postinstall', () =>
    runPostinstall({
      recipe,
      folder: definition.folder,
      allowed,
      work: workDirectory,
      log,
      signal,
      mirror: mirrorForScripts(work, lock, recipe),
      login: loggedIn,
    }),
  )
  if (login.credential) await forgetKey(await loggedIn(), `${login.key}.pub`, signal)
  await work.timed('shutdown', () => shutDown(machine, recipe, work))
}

/** The definition's user, who becomes root as its scripts expect; none where that is root. */
export async function accountsOf(definition: Definition): Promise<Account[]> {
  const { user, password, key } = definition.recipe!.ssh
  if (user === 'root') return []
  return [
    {
      ...usualAccount,
      name: user,
      sudo: password === undefined ? 'nopasswd' : true,
      password: password === undefined ? undefined : { clear: password },
      authorizedKeys: key === undefined ? [] : [await publicKeyOf(keyFile(definition.folder, key))],
    },
  ]
}

/** How the definition's scripts are brought in. root has no password on a machine made from the mirror. */
async function loginOf({ recipe, folder }: Definition, buildDirectory: string): Promise<Login> {
  const { user, password, key } = (recipe as Recipe).ssh
  if (user === 'root') return { user, key: await buildKey(buildDirectory), credential: true }
  if (key !== undefined) return { user, key: keyFile(folder, key), credential: false }
  return { user, password: password!, credential: false }
}

async function publicKeyOf(path: string): Promise<string> {
  const beside = await readFile(`${path}.pub`, 'utf8').catch(() => undefined)
  if (beside !== undefined) return beside.trim()
  try {
    return (await run('ssh-keygen', ['-y', '-P', '', '-f', path])).stdout.trim()
  } catch (cause) {
    throw new ApplianceError('input', `ssh_key: ${path} is no private key that opens without a passphrase`, {
      hint: 'Put its public key beside it, as NAME.pub.',
      cause,
    })
  }
}

/** Ours alone: a script may have put keys of its own beside it. */
async function forgetKey(guest: Guest, publicKey: string, signal: AbortSignal): Promise<void> {
  const [, body] = (await readFile(publicKey, 'utf8')).split(' ')
  const file = '/root/.ssh/authorized_keys'
  await guest.run(
    `sed -i ${quote(`\\|${body}|d`)} ${file}; if [ ! -s ${file} ]; then rm -f ${file}; rmdir --ignore-fail-on-non-empty /root/.ssh; fi; sync`,
    { signal, title: 'removing the build’s key' },
  )
}
