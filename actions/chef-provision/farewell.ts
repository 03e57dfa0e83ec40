import { readFile } from 'node:fs/promises'
import { ApplianceError } from '../lib/errors/error.ts'
import type { Guest } from '../lib/guest/guest.ts'
import { buildKey } from '../lib/guest/key.ts'
import { quote } from '../lib/guest/quote.ts'
import { leaveDnfFiles } from '../lib/mirror/guest-dnf.ts'
import { RUN, SCRATCH } from '../lib/mirror/guest-places.ts'
import type { Project } from '../lib/stage/stage.ts'
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

/** Chef, wherever it may be: ours, a package's, or a gem's. */
const chefs = [
  TOOLS,
  '/etc/chef',
  '/opt/chef',
  '/opt/cinc',
  '/usr/bin/chef-*',
  '/usr/bin/cinc-*',
  '/usr/local/bin/chef-*',
  '/var/lib/gems/*/gems/chef-[0-9]*',
  '/usr/local/lib/ruby/gems/*/gems/chef-[0-9]*',
  '/usr/local/share/gems/gems/chef-[0-9]*',
]

/** Where a step may have written what only the build needs: settings and data, not the packages' own files. */
const searched = ['/etc', '/home', '/opt', '/root', '/srv', '/usr/local', '/usr/lib/systemd', '/var']
/** Emptied, or looked at byte by byte, by ova-pack. */
const notSearched = ['/var/log', '/var/cache', '/var/tmp', '/var/lib/dpkg', '/var/lib/apt', '/var/lib/rpm']

/** Something of the build's that is in a file. */
interface Trace {
  what: string
  needle: string
  hint: string
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
): Promise<void> {
  const cleanApt = 'if command -v apt-get >/dev/null; then apt-get clean && rm -rf /var/lib/apt/lists/*; fi'
  await guest.run(`${leaveDnfFiles}; rm -rf ${leftovers.join(' ')} && ${cleanApt}`, {
    signal,
    title: 'cleaning up',
  })
  await forgetFetches(guest, mirrorUrl, signal)
  await setPackageSources(guest, project.spec.packageSources, signal)
  const key = (await readFile(`${await buildKey(project.buildDirectory)}.pub`, 'utf8')).split(' ')[1]!
  const chef = await guest.run(`ls -d ${chefs.join(' ')} 2>/dev/null`, { signal, allowFailure: true })
  const faults: { message: string; hint: string }[] = []
  if (chef.stdout.trim())
    faults.push({
      message: `Chef stayed on the disk: ${chef.stdout.trim().split('\n').join(', ')}`,
      hint: 'Remove it in the last provisioning step; the build brings its own Chef on a disk that is unplugged.',
    })
  const traces: Trace[] = [
    {
      what: 'the mirror’s address',
      needle: `${mirrorUrl.replace(/\/$/, '')}/`,
      hint: 'The mirror exists only during the build: let the step that wrote it put the real address there.',
    },
    {
      what: 'the build’s SSH key',
      needle: key,
      hint: 'No one at the customer’s may come in by it: let the step that copied it leave it alone.',
    },
    ...(await secrets(project.spec)),
  ]
  const found = await linesWith(
    guest,
    traces.map(({ needle }) => needle),
    signal,
  )
  for (const { what, needle, hint } of traces) {
    const lines = found.filter((line) => line.endsWith(`:${needle}`))
    const files = [...new Set(lines.map((line) => line.slice(0, -needle.length - 1)))]
    if (files.length > 0) faults.push({ message: `${what} stayed on the disk, in ${files.join(', ')}`, hint })
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

/** `file:text` for each file that has one of the texts, but for root's authorized_keys, which goes last. */
async function linesWith(guest: Guest, needles: readonly string[], signal: AbortSignal): Promise<string[]> {
  const except = notSearched.map((path) => `-path ${path}`).join(' -o ')
  // The texts are among no program's arguments.
  const { stdout } = await guest.run(
    `needles=$(mktemp -p /run) && cat > "$needles"
find ${searched.join(' ')} -xdev '(' ${except} ')' -prune -o -type f ! -path /root/.ssh/authorized_keys -size -4096k -print0 2>/dev/null | xargs -0 -r -n 400 -P 2 grep -oIHF -f "$needles" 2>/dev/null
rm -f "$needles"`,
    {
      input: needles.map((needle) => `${needle}\n`).join(''),
      signal,
      allowFailure: true,
      title: 'looking for what the build left',
    },
  )
  return stdout.split('\n')
}

/** The secrets that data bags were opened with. */
async function secrets(spec: Pick<Project['spec'], 'provision'>): Promise<Trace[]> {
  const found: Trace[] = []
  for (const step of spec.provision) {
    if (step.kind !== 'chef_solo' || !step.dataBagSecret) continue
    const { env, file } = step.dataBagSecret
    const text = env === undefined ? await readFile(file!, 'utf8') : (process.env[env] ?? '')
    // grep looks for any of several lines, and an empty one is everywhere.
    const [line = ''] = text.split('\n').filter((one) => one.trim().length >= 8)
    if (line)
      found.push({
        what: 'the secret of the data bags',
        needle: line,
        hint: 'A recipe that needs what is in a data bag writes that, not what it is opened with.',
      })
  }
  return found
}
