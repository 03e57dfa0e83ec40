import type { LockedDebRepository } from '../../lib/lock/lock.ts'
import type { CommandOptions } from '../../lib/process/command.ts'
import { type ProgramRoot, programRoot } from '../program-root.ts'

/**
 * A root with the Ruby of a distribution and nothing set up: unpacked from the mirror's own packages. Bundler and
 * RubyGems run in it, so that gems are resolved for the Ruby that will use them, not for the host's (if it has one).
 */
export interface RubyRoot {
  readonly directory: string
  /**
   * Runs a Ruby program in the root; `/work` there is `directory/work`. The network is the host's, or `offline` none.
   */
  ruby(args: readonly string[], options: CommandOptions & { offline?: boolean }): Promise<string>
}

/** Makes the root once per set of packages. `tree`: the folder of the repositories. */
export async function rubyRoot(
  repositories: readonly LockedDebRepository[],
  tree: string,
  options: { directory: string; signal: AbortSignal },
): Promise<RubyRoot> {
  // git, where there is one: Bundler takes gems from repositories by it.
  const git = repositories.some(({ packages }) => packages.some(({ name }) => name === 'git')) ? ['git'] : []
  const root = await programRoot(repositories, tree, {
    ...options,
    packages: ['ruby', 'ruby-bundler', ...git],
  })
  return rubyIn(root)
}

/** The Ruby of a root that has one. */
export function rubyIn(root: ProgramRoot): RubyRoot {
  const env = { BUNDLE_SILENCE_ROOT_WARNING: '1' }
  return {
    directory: root.directory,
    async ruby(args, { cwd: _, env: __, ...given }) {
      return (await root.run(['/usr/bin/ruby', ...args], { ...given, env })).stdout
    },
  }
}
