import type { Lock, LockedDebRepository, LockedGemSource } from '../lock/lock.ts'
import { gitSourcesOf } from '../lock/repositories.ts'
import { gitRewrites, rewriteSections } from './git-rewrites.ts'
import { dnfFiles, useDnfFiles } from './guest-dnf.ts'
import { RUN, SCRATCH } from './guest-places.ts'

/**
 * What makes unmodified clients in the guest use the mirror, without a trace on its disk: environment variables
 * that every step gets, the files under /run they point to, and what is to be run when those are there.
 */
export interface MirrorAccess {
  env: Record<string, string>
  /** Path in the guest → content. */
  files: Record<string, string>
  /** For the guest's shell, in this order. */
  commands: string[]
}

/**
 * @param mirrorUrl as the guest sees it, e.g. `http://mirror.internal`
 * @see apt.conf(5) Dir, sources.list(5); bundle-config(1) BUNDLE_USER_CONFIG and mirrors; gem help environment,
 *      GEMRC; git(1) GIT_CONFIG_GLOBAL (2.32 and later) and git-config(1) url.<base>.insteadOf
 */
export function mirrorAccess(lock: Lock, mirrorUrl: string): MirrorAccess {
  const gems = lock.gem.filter((source) => source.for === 'guest')
  return {
    env: {
      APPLIANCE_MIRROR: mirrorUrl,
      APT_CONFIG: `${RUN}/apt.conf`,
      BUNDLE_USER_CONFIG: `${RUN}/bundle-config`,
      GEMRC: `${RUN}/gemrc`,
      DEBIAN_FRONTEND: 'noninteractive',
      GIT_CONFIG_GLOBAL: `${RUN}/gitconfig`,
    },
    files: {
      [`${RUN}/apt.conf`]: aptConf(),
      [`${RUN}/sources.list`]: lock.deb.map((repository) => debLine(repository, mirrorUrl)).join(''),
      ...dnfFiles(lock.rpm, mirrorUrl),
      [`${RUN}/bundle-config`]: bundleConfig(gems, mirrorUrl),
      [`${RUN}/gemrc`]: gemrc(gems, mirrorUrl),
      [`${RUN}/gitconfig`]: gitConfig(lock, mirrorUrl),
    },
    commands: [
      ...useDnfFiles(lock.rpm),
      ...(lock.deb.length > 0 ? ['apt-get -q update -o APT::Update::Error-Mode=any'] : []),
    ],
  }
}

function aptConf(): string {
  return `Dir::Etc::sourcelist "${RUN}/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "${RUN}/lists";
Dir::Cache::archives "${SCRATCH}/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
APT::Install-Recommends "false";
DPkg::Options { "--force-confold"; "--force-unsafe-io"; };
DPkg::Use-Pty "0";
`
}

function debLine(repository: LockedDebRepository, mirrorUrl: string): string {
  return `deb [signed-by=${RUN}/mirror.gpg] ${mirrorUrl}/deb/${repository.name} appliance main\n`
}

/** Bundler writes its settings' names like this: `.` becomes `__`, the rest of an address stays. */
export function bundleConfig(
  gems: readonly LockedGemSource[],
  mirrorUrl: string,
  folderOf = ({ name }: LockedGemSource) => `gem/${name}`,
): string {
  const lines = gems.map((gem) => {
    const { source } = gem
    const address = source.endsWith('/') ? source : `${source}/`
    return `BUNDLE_MIRROR__${address.toUpperCase().replaceAll('.', '__')}: "${mirrorUrl}/${folderOf(gem)}/"\n`
  })
  return `---\n${lines.join('')}`
}

function gemrc(gems: LockedGemSource[], mirrorUrl: string): string {
  const sources = gems.map(({ name }) => `- ${mirrorUrl}/gem/${name}/\n`).join('')
  return `---\n:sources:\n${sources || `- ${mirrorUrl}/gem/none/\n`}gem: --no-document\n`
}

/** The user's own settings go on counting. */
export function gitConfig(lock: Lock, mirrorUrl: string): string {
  return `[include]\n\tpath = ~/.gitconfig\n${rewriteSections(gitRewrites(gitSourcesOf(lock), mirrorUrl))}`
}
