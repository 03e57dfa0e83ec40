import { readFile } from 'node:fs/promises'
import { ApplianceError } from '../lib/errors/error.ts'
import type { Guest } from '../lib/guest/guest.ts'
import { buildKey } from '../lib/guest/key.ts'
import { quote } from '../lib/guest/quote.ts'
import type { Log } from '../lib/log/log.ts'
import { leaveDnfFiles } from '../lib/mirror/guest-dnf.ts'
import { RUN, SCRATCH } from '../lib/mirror/guest-places.ts'
import type { Project } from '../lib/stage/stage.ts'
import { formatDuration } from '../lib/units/duration.ts'
import { TOOLS } from './chef/configuration.ts'
import { setPackageSources } from './package-sources.ts'

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

/** No files of a disk, or, in memory, none that stay. */
const noDisk = '/proc -o -path /sys -o -path /dev -o -path /run'
/** ms for a search of the whole disk, on whatever computer. */
const SEARCH = 10 * 60_000
/** Anything shorter is found in any file. Characters. */
const SHORTEST = 8

/** Where a step may have written what only the build needs: settings and data, not the packages' own files. */
const searched = ['/etc', '/home', '/opt', '/root', '/srv', '/usr/local', '/usr/lib/systemd', '/var']
/** Emptied, or looked at byte by byte, by ova-pack. */
const notSearched = ['/var/log', '/var/cache', '/var/tmp', '/var/lib/dpkg', '/var/lib/apt', '/var/lib/rpm']

/** Something of the build's that may be in a file. */
interface Trace {
  what: string
  hint: string
  /** For grep: alternatives, one a line. They are among no program's arguments. */
  pattern: string
  /** grep's options. */
  how: '-IE' | '-IF' | '-aF'
  /** All of the disk is searched, and not only where a step would put settings and data. */
  everywhere?: true
}

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
  const cleanApt = 'if command -v apt-get >/dev/null; then apt-get clean && rm -rf /var/lib/apt/lists/*; fi'
  const caches = gemCaches.map((cache) => `"$home"/${cache}`).join(' ')
  const cleanHomes = `getent passwd | cut -d: -f6 | sort -u | while read -r home; do rm -rf ${caches}; done`
  await guest.run(`${leaveDnfFiles}; rm -rf ${leftovers.join(' ')} && ${cleanHomes} && ${cleanApt}`, {
    signal,
    title: 'cleaning up',
  })
  await forgetFetches(guest, mirrorUrl, signal)
  await setPackageSources(guest, project.spec.packageSources, signal)
  const key = (await readFile(`${await buildKey(project.buildDirectory)}.pub`, 'utf8')).split(' ')[1]!
  const chef = await guest.run(
    `ls -d ${chefs.join(' ')} 2>/dev/null
find / '(' -path ${noDisk} ')' -prune -o -type d -path '*/gems/chef-[0-9]*' -prune -print 2>/dev/null`,
    { signal, allowFailure: true, title: 'looking for Chef' },
  )
  const faults: { message: string; hint: string }[] = []
  if (chef.stdout.trim())
    faults.push({
      message: `Chef stayed on the disk: ${chef.stdout.trim().split('\n').join(', ')}`,
      hint: 'Remove it in the last provisioning step; the build brings its own Chef on a disk that is unplugged.',
    })
  const traces: Trace[] = [
    {
      what: 'the mirror’s address',
      // As ova-pack knows it: whatever follows it, unless the name goes on.
      pattern: `${mirrorUrl.replace(/\/$/, '').replaceAll('.', '\\.')}($|[^A-Za-z0-9_.:-])`,
      how: '-IE',
      hint: 'The mirror exists only during the build: let the step that wrote it put the real address there.',
    },
    {
      what: 'the build’s SSH key',
      pattern: key,
      how: '-IF',
      hint: 'No one at the customer’s may come in by it: let the step that copied it leave it alone.',
    },
    ...(await secrets(project.spec, log)),
  ]
  for (const trace of traces) {
    const files = await filesWith(guest, trace, signal, log)
    if (files.length > 0)
      faults.push({ message: `${trace.what} stayed on the disk, in ${files.join(', ')}`, hint: trace.hint })
  }
  if (faults.length > 0)
    throw new ApplianceError('check-failed', faults.map(({ message }) => message).join('\n'), {
      hint: faults.map(({ hint }) => hint).join(' '),
    })
  await guest.run('rm -f /root/.ssh/authorized_keys && rmdir --ignore-fail-on-non-empty /root/.ssh && sync', {
    signal,
    title: 'removing the build’s key',
  })
}

/**
 * git notes where it has fetched from last: from the mirror, whatever address the repository has (Capistrano's does so
 * with every release). Nothing but the next merge would read it.
 *
 * @see git-fetch(1), OUTPUT: $GIT_DIR/FETCH_HEAD
 */
async function forgetFetches(guest: Guest, mirrorUrl: string, signal: AbortSignal): Promise<void> {
  await guest.run(
    `find ${searched.join(' ')} -xdev -type f -name FETCH_HEAD -exec grep -qF ${quote(mirrorUrl)} {} ';' -delete 2>/dev/null`,
    { signal, allowFailure: true, title: 'removing where git has fetched from' },
  )
}

/** The files that have one of a trace's texts, but for root's authorized_keys, which goes last. */
async function filesWith(guest: Guest, trace: Trace, signal: AbortSignal, log: Log): Promise<string[]> {
  const { what, pattern, how, everywhere } = trace
  const places = everywhere ? '/' : searched.join(' ')
  const except = everywhere ? noDisk : notSearched.join(' -o -path ')
  const small = everywhere ? '' : '-xdev -size -4096k'
  try {
    const { stdout } = await guest.run(
      `patterns=$(mktemp -p /run) && cat > "$patterns"
find ${places} '(' -path ${except} ')' -prune -o -type f ! -path /root/.ssh/authorized_keys ${small} -print0 2>/dev/null | LC_ALL=C xargs -0 -r -n 400 -P 2 grep -sl ${how} -f "$patterns"
rm -f "$patterns"`,
      {
        input: `${pattern}\n`,
        signal,
        timeout: SEARCH,
        allowFailure: true,
        title: 'looking for what the build left',
      },
    )
    return [...new Set(stdout.split('\n').filter(Boolean))].sort()
  } catch (error) {
    if (!(error instanceof ApplianceError && error.code === 'timeout')) throw error
    log.warn(
      `${what}: not all of the disk was searched for it within ${formatDuration(SEARCH)}; ova-pack will`,
    )
    return []
  }
}

/** The secrets that data bags were opened with. */
async function secrets(spec: Pick<Project['spec'], 'provision'>, log: Log): Promise<Trace[]> {
  const found: Trace[] = []
  for (const step of spec.provision) {
    if (step.kind !== 'chef_solo' || !step.dataBagSecret) continue
    const { env, file } = step.dataBagSecret
    const text = env === undefined ? await readFile(file!, 'utf8') : (process.env[env] ?? '')
    const lines = text.split('\n').map((line) => line.trim())
    // Of one in several lines any that nobody else has; the frame of a PEM file anybody may have.
    const pattern = lines.filter((line) => line.length >= SHORTEST && !line.startsWith('-----')).join('\n')
    if (pattern)
      found.push({
        what: 'the secret of the data bags',
        hint: 'A recipe that needs what is in a data bag writes that, not what it is opened with.',
        pattern,
        how: '-aF',
        everywhere: true,
      })
    else if (text.trim())
      log.warn(
        `the secret of the data bags has fewer than ${SHORTEST} characters: the disk cannot be searched for it`,
      )
  }
  return found
}
