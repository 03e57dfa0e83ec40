import { ApplianceError } from '../lib/errors/error.ts'
import type { Guest } from '../lib/guest/guest.ts'
import { RUN, SCRATCH } from '../lib/mirror/guest-access.ts'
import { leaveDnfFiles } from '../lib/mirror/guest-dnf.ts'
import { TOOLS } from './chef-solo.ts'

/** What Chef, apt, Bundler and we leave behind that is the build's and not the product's. */
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
]

/** Where a recipe may have written the mirror's address: settings and data, not the packages' own files. */
const searched = [
  '/etc',
  '/home',
  '/opt',
  '/root',
  '/srv',
  '/usr/local',
  '/var/lib/appliance',
  '/var/spool/cron',
]

/**
 * Removes what only the build needed and proves it: no Chef, no mirror address. The key goes last, with the
 * session that used it (sshd looks at it only when somebody logs in).
 */
export async function leaveNothing(guest: Guest, mirrorUrl: string, signal: AbortSignal): Promise<void> {
  const cleanApt = 'if command -v apt-get >/dev/null; then apt-get clean && rm -rf /var/lib/apt/lists/*; fi'
  await guest.run(`${leaveDnfFiles}; rm -rf ${leftovers.join(' ')} && ${cleanApt}`, { signal })
  const host = mirrorUrl.replace(/\/$/, '')
  const found = await guest.run(`grep -rIlF -e '${host}/' ${searched.join(' ')} 2>/dev/null`, {
    signal,
    allowFailure: true,
  })
  const files = found.stdout.split('\n').filter(Boolean)
  if (files.length > 0)
    throw new ApplianceError(
      'check-failed',
      `the mirror's address stayed on the disk, in ${files.join(', ')}`,
      {
        hint: 'The mirror exists only during the build: let the step that wrote it put the real address there.',
      },
    )
  const chef = await guest.run(`ls -d ${TOOLS} /opt/chef /opt/cinc /usr/bin/chef-* 2>/dev/null`, {
    signal,
    allowFailure: true,
  })
  if (chef.stdout.trim())
    throw new ApplianceError(
      'check-failed',
      `Chef stayed on the disk: ${chef.stdout.trim().split('\n').join(', ')}`,
      {
        hint: 'Remove it in the last provisioning step; the build brings its own Chef on a disk that is unplugged.',
      },
    )
  await guest.run('rm -f /root/.ssh/authorized_keys && rmdir --ignore-fail-on-non-empty /root/.ssh && sync', {
    signal,
  })
}
