import { homedir } from 'node:os'
import { join } from 'node:path'
import type { StageWork } from '../lib/stage/stage.ts'

/** The folders of the mirror. */
export interface MirrorPaths {
  /** Every locked artefact and the evidence; this alone is cached and archived. */
  store: string
  /** The repositories as clients see them. */
  tree: string
  /** The key the mirror signs with. */
  key: string
  /** Roots with a Ruby, to resolve and index gems. */
  ruby: string
  /** Roots with dnf, rpm and createrepo_c, to resolve, check and index RPMs. */
  programs: string
  /** Objects shared by all projects of this user; undefined when APPLIANCE_CACHE is `off`. */
  shared: string | undefined
}

export function mirrorPaths({ outDirectory }: Pick<StageWork, 'outDirectory'>): MirrorPaths {
  return {
    store: join(outDirectory, 'store'),
    tree: join(outDirectory, 'tree'),
    key: join(outDirectory, 'key'),
    ruby: join(outDirectory, 'ruby'),
    programs: join(outDirectory, 'programs'),
    shared: sharedStore(process.env),
  }
}

/** `APPLIANCE_CACHE` (a folder, or `off`), else the place the XDG base directory specification names. */
export function sharedStore(env: NodeJS.ProcessEnv): string | undefined {
  if (env.APPLIANCE_CACHE === 'off') return undefined
  return join(
    env.APPLIANCE_CACHE || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'appliance'),
    'store',
  )
}
