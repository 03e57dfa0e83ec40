import type { LockedRpmRepository } from '../lock/lock.ts'
import { RUN, SCRATCH } from './guest-places.ts'
import { rpmStanzas } from './rpm-stanza.ts'

/** Path in the guest → content: what tells dnf and yum of the mirror; nothing where the appliance has no RPMs. */
export function dnfFiles(rpm: readonly LockedRpmRepository[], mirrorUrl: string): Record<string, string> {
  if (rpm.length === 0) return {}
  return {
    [`${RUN}/dnf.conf`]: configuration(),
    [`${RUN}/yum.repos.d/appliance.repo`]: rpmStanzas(rpm, mirrorUrl),
  }
}

/**
 * For the guest's shell. No environment variable tells dnf or yum of another configuration, and Chef and Ansible
 * call dnf's library, which takes no options either. So ours lies over the guest's own for as long as the machine
 * runs: nothing is written.
 */
export function useDnfFiles(rpm: readonly LockedRpmRepository[]): string[] {
  if (rpm.length === 0) return []
  return [
    `for conf in /etc/dnf/dnf.conf /etc/yum.conf; do
  if [ -f "$conf" ] && [ ! -L "$conf" ]; then mount --bind ${RUN}/dnf.conf "$conf"; fi
done`,
  ]
}

/** For the guest's shell: takes it away again, so that what is looked at afterwards is the guest's own. */
export const leaveDnfFiles = 'umount /etc/dnf/dnf.conf /etc/yum.conf 2>/dev/null || true'

/**
 * As RHEL has it, but for where repositories and the cache are. The mirror's indexes are small, so dnf reads also
 * those of files, which some dependencies name and newer versions leave out.
 *
 * @see dnf.conf(5), yum.conf(5)
 */
function configuration(): string {
  return `[main]
gpgcheck=1
installonly_limit=3
clean_requirements_on_remove=True
best=True
skip_if_unavailable=False
obsoletes=1
reposdir=${RUN}/yum.repos.d
cachedir=${SCRATCH}/dnf
optional_metadata_types=comps,filelists
`
}
