import { copyFile, mkdir, rename, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256 } from '../lib/files/digest.ts'
import { exists } from '../lib/files/exists.ts'
import type { LockedDebRepository } from '../lib/lock/lock.ts'
import { bootstrapRoot } from '../lib/mirror/bootstrap.ts'
import { proxiesIn } from '../lib/network/proxies.ts'
import { asRoot } from '../lib/process/as-root.ts'
import type { CommandOptions, CommandResult } from '../lib/process/command.ts'

/**
 * A root with a few programs of a distribution and nothing set up: unpacked from the mirror's own packages, so that
 * what a solver or an indexer says does not hang on what this computer has.
 */
export interface ProgramRoot {
  readonly directory: string
  /** A folder of `directory/work` as the root's programs see it. */
  inside(folder: string): string
  /**
   * Runs a program of the root; it starts in `/work` there, which is `directory/work` here and its home. The network is
   * the host's, unless it is to have none. Of this computer's environment it gets nothing, but with the network its
   * proxies.
   */
  run(argv: readonly string[], options: ProgramOptions): Promise<CommandResult>
}

export type ProgramOptions = Omit<CommandOptions, 'cwd' | 'env'> & {
  env?: Record<string, string>
  /** Below `/work`: where it starts instead. */
  folder?: string
  /** In a network namespace of its own, with nothing in it but a loopback that is down. */
  offline?: boolean
}

/**
 * Makes the root once per set of packages. `tree`: the folder of the repositories; `packages`: what they are to give
 * to it; `directory`: where such roots lie.
 */
export async function programRoot(
  repositories: readonly LockedDebRepository[],
  tree: string,
  options: { directory: string; packages: readonly string[]; signal: AbortSignal },
): Promise<ProgramRoot> {
  const digests = repositories.map(({ packages }) => packages.map((one) => one.sha256))
  const key = sha256(JSON.stringify([options.packages, digests]))
  const directory = join(options.directory, key.slice(0, 16))
  const there = await exists(directory)
  if (!there) {
    const partial = `${directory}.partial`
    await asRoot('rm', ['-rf', partial], {})
    await mkdir(options.directory, { recursive: true })
    await bootstrapRoot(partial, {
      tree,
      repositories: repositories.map(({ name }) => name),
      variant: 'extract',
      packages: options.packages,
      signal: options.signal,
    })
    await rename(partial, directory)
  }
  // `appliance gc` takes those that are not used any more.
  const now = new Date()
  await utimes(directory, now, now).catch(() => {})
  return await rootAt(directory)
}

/** A root that was made otherwise, for the same use. */
export async function rootAt(directory: string): Promise<ProgramRoot> {
  await mkdir(join(directory, 'work'), { recursive: true })
  return {
    directory,
    inside: (folder) => join('/work', folder),
    run: (argv, given) => runIn(directory, argv, given),
  }
}

async function runIn(
  directory: string,
  argv: readonly string[],
  { env = {}, folder = '', offline = false, ...options }: ProgramOptions,
): Promise<CommandResult> {
  // Name resolution and trust are the host's own.
  await mkdir(join(directory, 'etc'), { recursive: true })
  for (const file of ['/etc/resolv.conf', '/etc/hosts'])
    await copyFile(file, join(directory, file)).catch(() => {})
  const bundle =
    process.env.SSL_CERT_FILE ?? process.env.CURL_CA_BUNDLE ?? '/etc/ssl/certs/ca-certificates.crt'
  await copyFile(bundle, join(directory, 'ca.crt')).catch(() => writeFile(join(directory, 'ca.crt'), ''))
  const environment = Object.entries({
    HOME: '/work',
    LANG: 'C.UTF-8',
    SSL_CERT_FILE: '/ca.crt',
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    ...(offline ? {} : proxiesIn(process.env)),
    ...env,
  }).map(([name, value]) => `${name}=${value}`)
  const inside = [
    'unshare',
    ...(offline ? ['--net'] : []),
    `--root=${directory}`,
    `--wd=${join('/work', folder)}`,
    '--',
    ...argv,
  ]
  return await asRoot('env', ['-i', ...environment, ...inside], options)
}
