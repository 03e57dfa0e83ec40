/**
 * What dnf, run by us, is told so that it installs into an empty root from the mirror alone: nothing comes for a
 * recommendation, and nothing of this computer's own settings, caches or repositories counts.
 *
 * @param folder where `repos.d` is, as dnf sees it, and where it may write
 * @param flags rpm's, e.g. `nodocs`: an appliance is no place to read manuals
 * @see dnf.conf(5)
 */
export function dnfSettings(folder: string, flags: string): string {
  return `[main]
reposdir=${folder}/repos.d
cachedir=${folder}/cache
persistdir=${folder}/state
logdir=${folder}/log
varsdir=${folder}/vars
plugins=0
gpgcheck=1
best=1
install_weak_deps=0
optional_metadata_types=comps,filelists
tsflags=${flags}
`
}
