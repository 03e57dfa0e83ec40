import { readFile } from 'node:fs/promises'
import { ApplianceError } from '../lib/errors/error.ts'
import type { Guest } from '../lib/guest/guest.ts'
import { buildKey } from '../lib/guest/key.ts'
import { quote } from '../lib/guest/quote.ts'
import type { Log } from '../lib/log/log.ts'
import { leaveDnfFiles } from '../lib/mirror/guest-dnf.ts'
import { RUN, SCRATCH } from '../lib/mirror/guest-places.ts'
import type { Project } from '../lib/stage/stage.ts'
import { TOOLS } from './chef/configuration.ts'
import { setPackageSources } from './package-sources.ts'
import {
  chefGems,
  grepSettings,
  type Left,
  leftInSettings,
  leftSecrets,
  SEARCH,
  settingsPlaces,
  settingsTraces,
  type Trace,
} from './traces.ts'

/** What Chef, apt, dnf, Bundler and we leave behind that is the build's and not the product's. */
const leftovers = [
  SCRATCH,
  RUN,
  '/etc/chef',
  '/var/chef',
  '/var/log/chef',
  '/root/.chef',
  '/root/.bundle',
  '/root/.gem',
  '/root/.cache',
  '/root/.local/share/gem',
  '/var/cache/dnf',
  '/var/cache/yum',
]

/**
 * The same of Bundler and RubyGems in every home, since a step may run as any user: what they remember of the mirror.
 * RubyGems calls a folder after its address, where no search of files would find it.
 */
const gemCaches = ['.bundle/cache', '.gem/specs', '.cache/gem/specs', '.local/share/gem/specs']

/** Chef, wherever it may be: ours, a package's, or a gem's. */
const chefs = [
  TOOLS,
  '/etc/chef',
  '/opt/chef',
  '/opt/chef-workstation',
  '/opt/chefdk',
  '/opt/cinc*',
  '/usr/bin/chef-*',
  '/usr/bin/cinc-*',
  '/usr/local/bin/chef-*',
  '/usr/local/bin/cinc-*',
]

/**
 * Removes what only the build needed, and looks on the disk whether anything of it is left: Chef, the mirror's address,
 * the build's key, the secrets of data bags. The key goes last, with the session that used it (sshd looks at it only
 * when somebody logs in).
 *
 * @throws ApplianceError `check-failed` with everything that was found
 */
export async function leaveNothing(
  guest: Guest,
  project: Pick<Project, 'spec' | 'buildDirectory'>,
  mirrorUrl: string,
  signal: AbortSignal,
  log: Log,
): Promise<void> {
  await guest.run(cleaning(mirrorUrl), { signal, title: 'cleaning up' })
  await setPackageSources(guest, project.spec.packageSources, signal)
  const secrets = await leftSecrets(guest, project.spec.provision, signal, log)
  const publicKey = await readFile(`${await buildKey(project.buildDirectory)}.pub`, 'utf8')
  const traces = settingsTraces(mirrorUrl, publicKey)
  if (secrets.length === 0 && (await leavesIfClean(guest, traces, signal))) return
  const left = [
    ...(await leftChef(guest, signal)),
    ...(await leftInSettings(guest, traces, signal, log)),
    ...secrets,
  ]
  if (left.length > 0)
    throw new ApplianceError('check-failed', left.map(({ message }) => message).join('\n'), {
      hint: left.map(({ hint }) => hint).join(' '),
    })
  await guest.run(leaving, { signal, title: 'removing the build’s key' })
}

/**
 * For the guest's shell. In one go and side by side, as is the look afterwards: each question to an emulated guest
 * takes its time, and it has two processors.
 *
 * git notes where it has fetched from last: from the mirror, whatever address the repository has (Capistrano's does so
 * with every release). Nothing but the next merge would read it.
 *
 * @see git-fetch(1), OUTPUT: $GIT_DIR/FETCH_HEAD
 */
function cleaning(mirrorUrl: string): string {
  const fetched = `find ${settingsPlaces.join(' ')} -xdev -type f -name FETCH_HEAD -exec grep -qF ${quote(mirrorUrl)} {} ';' -delete 2>/dev/null`
  return `set -e
${leaveDnfFiles}
if command -v apt-get >/dev/null; then apt-get clean && rm -rf /var/lib/apt/lists/*; fi &
rm -rf ${leftovers.join(' ')}
getent passwd | cut -d: -f6 | sort -u | while IFS= read -r home; do
  for cache in ${gemCaches.join(' ')}; do
    if [ -e "$home/$cache" ] || [ -L "$home/$cache" ]; then printf '%s\\0' "$home/$cache"; fi
  done
done | xargs -0 -r rm -rf
${fetched} || true
wait $!`
}

/** For the guest's shell: the last thing that is done in it. */
const leaving = 'rm -f /root/.ssh/authorized_keys && rmdir --ignore-fail-on-non-empty /root/.ssh && sync'

const foundChefs = `ls -d ${chefs.join(' ')} 2>/dev/null`

/**
 * Asks at once for all that may be left, and, where nothing is, removes the build's key.
 *
 * @returns false: something is left, or could not be looked for in time; nothing was removed
 */
async function leavesIfClean(guest: Guest, traces: readonly Trace[], signal: AbortSignal): Promise<boolean> {
  const looking = `gems=$(mktemp -p /run) || exit 1
${chefGems} >"$gems" &
left=$(${foundChefs}; ${grepSettings}) || exit 1
wait $!
left=$left$(cat "$gems")
rm -f "$gems"
[ -z "$left" ] || exit 1
${leaving}`
  const input = traces.map(({ pattern }) => `${pattern}\n`).join('')
  const title = 'looking for what the build left'
  try {
    const { status } = await guest.run(looking, { input, signal, timeout: SEARCH, allowFailure: true, title })
    return status === 0
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'timeout') return false
    throw error
  }
}

async function leftChef(guest: Guest, signal: AbortSignal): Promise<Left[]> {
  const options = { signal, allowFailure: true, title: 'looking for Chef' }
  const found = (await guest.run(`${foundChefs}\n${chefGems}`, options)).stdout.trim()
  if (!found) return []
  return [
    {
      message: `Chef stayed on the disk: ${found.split('\n').join(', ')}`,
      hint: 'Remove it in the last provisioning step; the build brings its own Chef on a disk that is unplugged.',
    },
  ]
}
