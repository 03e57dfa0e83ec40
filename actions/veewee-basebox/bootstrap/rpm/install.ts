import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError, CommandFailed } from '../../../lib/errors/error.ts'
import type { LockedRpmRepository } from '../../../lib/lock/lock.ts'
import { dnfSettings } from '../../../lib/mirror/dnf-settings.ts'
import { asRoot } from '../../../lib/process/as-root.ts'
import type { CommandOptions, CommandResult } from '../../../lib/process/command.ts'
import type { ToolsRoot } from '../../../lib/tools/tools.ts'
import { DRACUT_CONF, dracutConf, keysOf } from './files.ts'

export interface RpmInstallation {
  tools: ToolsRoot
  /** The mirror's `rpm/`. */
  tree: string
  repositories: readonly LockedRpmRepository[]
  packages: readonly string[]
  releasever: string | undefined
  /** Seconds since 1970. */
  epoch: number
  signal: AbortSignal
}

/** As the tools root sees it. */
const [WORK, TREE] = ['/mnt', '/srv']

/**
 * Installs RPMs into a new root by the tools root's dnf: from the mirror alone, signatures checked, the packages'
 * scripts run in the root with /proc, /sys and /dev there as they expect. The root is `folder/root`.
 *
 * @throws ApplianceError `command-failed` with what dnf says
 */
export async function installRpms(folder: string, installation: RpmInstallation): Promise<void> {
  const { tools, tree, repositories, packages, releasever, epoch, signal } = installation
  await asRoot('rm', ['-rf', folder], {})
  for (const name of ['proc', 'sys', 'dev', 'etc/dracut.conf.d'])
    await mkdir(join(folder, 'root', name), { recursive: true })
  // Kernels are set up while they are installed.
  await writeFile(join(folder, 'root', DRACUT_CONF), dracutConf)
  const database = databaseOf(repositories)
  await mkdir(join(folder, 'repos.d'))
  await writeFile(join(folder, 'repos.d/mirror.repo'), repositories.map(stanza).join('\n'))
  await writeFile(join(folder, 'dnf.conf'), dnfSettings(WORK, 'nodocs'))
  // Debian's rpm would keep the database in the home folder; what is mounted is not to be touched.
  await writeFile(join(folder, '.rpmmacros'), `%_dbpath ${database}\n%_netsharedpath /proc:/sys:/dev\n`)
  const inside = (argv: readonly string[]) =>
    mounted(tools, [tools.directory, folder, tree], argv, { epoch, signal })
  const keys = repositories.flatMap(keysOf).map(({ from }) => `${TREE}/${from}`)
  // By rpm beforehand: dnf would look at them with gpgme, and ask.
  await inside(['rpmkeys', '--dbpath', `${WORK}/root${database}`, '--import', ...keys])
  const options = ['-c', `${WORK}/dnf.conf`, '--installroot', `${WORK}/root`, '-y', '-q']
  try {
    await inside(['dnf', ...options, '--releasever', releasever ?? '0', 'install', ...packages])
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    const said = error.stderrTail.split('\n').map((line) => line.trim())
    const words = said.filter((line) => line && !/locale|^Try |^\(try|^Traceback|^File "/.test(line))
    throw new ApplianceError('command-failed', `the RPMs do not install: ${words.slice(-12).join('; ')}`, {
      cause: error,
    })
  }
  for (const name of ['repos.d', 'cache', 'state', 'log', 'vars'])
    await rm(join(folder, name), { recursive: true, force: true })
}

/** Runs a program of a root of RPMs in it, with /proc, /sys and /dev. */
export async function inRoot(
  root: string,
  argv: readonly string[],
  tools: ToolsRoot,
  options: CommandOptions & { epoch: number },
): Promise<CommandResult> {
  return await mounted(tools, [root, '', ''], argv, options)
}

/**
 * In a mount namespace of its own, so that nothing stays mounted: by the tools root's shell, since mount(8) starts
 * nothing afterwards. `$1` is where the program lives, `$2` and `$3` what it finds in /mnt and /srv.
 */
const MOUNT = `root=$1 work=$2 tree=$3; shift 3
fill() {
  mount -t proc proc "$1/proc"
  mount --rbind /sys "$1/sys"
  mount --rbind /dev "$1/dev"
}
fill "$root"
if [ -n "$work" ]; then
  mount --bind "$work" "$root${WORK}"
  mount --bind "$tree" "$root${TREE}"
  fill "$root${WORK}/root"
fi
exec chroot "$root" "$@"`

async function mounted(
  tools: ToolsRoot,
  places: readonly [root: string, work: string, tree: string],
  argv: readonly string[],
  { epoch, ...options }: CommandOptions & { epoch: number },
): Promise<CommandResult> {
  const loader = join(tools.directory, 'usr/lib64/ld-linux-x86-64.so.2')
  const libraries = join(tools.directory, 'usr/lib/x86_64-linux-gnu')
  const shell = [loader, '--library-path', libraries, join(tools.directory, 'usr/bin/sh')]
  const environment = [
    `HOME=${places[1] === '' ? '/root' : WORK}`,
    'LANG=C.UTF-8',
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'SYSTEMD_OFFLINE=1',
    `SOURCE_DATE_EPOCH=${epoch}`,
  ]
  const inNamespace = ['-i', ...environment, 'unshare', '--mount', '--', ...shell, '-euc', MOUNT, 'sh']
  return await asRoot('env', [...inNamespace, ...places, ...argv], options)
}

/**
 * Where the guest's rpm keeps its database: since Fedora 36 and RHEL 10, which have rpm 4.17 and later, no longer under
 * /var. @see https://fedoraproject.org/wiki/Changes/RelocateRPMToUsr
 */
export function databaseOf(repositories: readonly Pick<LockedRpmRepository, 'packages'>[]): string {
  const rpm = repositories.flatMap(({ packages }) => packages).find(({ name }) => name === 'rpm')
  const [major = 0, minor = 0] = (rpm?.version ?? '4.16').replace(/^\d+:/, '').split('.').map(Number)
  return major > 4 || (major === 4 && minor >= 17) ? '/usr/lib/sysimage/rpm' : '/var/lib/rpm'
}

function stanza(repository: LockedRpmRepository): string {
  const { name } = repository
  const keys = keysOf(repository).map(({ from }) => `file://${TREE}/${from}`)
  return `[${name}]\nname=${name}\nbaseurl=file://${TREE}/${name}\ngpgkey=${keys.join(' ')}\n`
}
