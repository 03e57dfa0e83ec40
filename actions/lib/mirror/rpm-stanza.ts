import type { LockedRpmRepository } from '../lock/lock.ts'

/**
 * The mirror's RPM repositories as dnf and yum are told of them, for a file in their `reposdir` or an installer:
 * `gpgcheck=1` with upstream's own key. The indexes are the mirror's and not signed.
 *
 * @param mirrorUrl as the guest sees it, e.g. `http://mirror.internal`
 * @see dnf.conf(5), "Repo options"
 */
export function rpmStanzas(repositories: readonly LockedRpmRepository[], mirrorUrl: string): string {
  return repositories
    .map(({ name, evidence }) => {
      const base = `${mirrorUrl}/rpm/${name}/`
      const keys = evidence.filter(({ path }) => path.startsWith('keys/'))
      return `[${name}]
name=${name}
baseurl=${base}
enabled=1
gpgcheck=1
repo_gpgcheck=0
gpgkey=${keys.map(({ path }) => `${base}${encodeURI(path)}`).join(' ')}
`
    })
    .join('\n')
}
