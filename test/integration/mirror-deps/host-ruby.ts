import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../../../actions/lib/process/command.ts'
import type { RubyRoot } from '../../../actions/mirror-deps/gem/ruby-root.ts'

/** This computer's Ruby in place of a root's: the programs that run in it are the same. */
export function hostRuby(directory: string): RubyRoot {
  return {
    directory,
    async ruby(args, { offline, ...options }) {
      const cwd = join(directory, 'work')
      const [program, ...rest] = [
        ...(offline ? ['unshare', '--user', '--map-root-user', '--net'] : []),
        'ruby',
        ...args,
      ]
      return (await run(program!, rest, { ...options, cwd, env: await own(directory) })).stdout
    },
  }
}

/** Runs a program of Ruby's as a user who has nothing set up yet. Gives what it printed. */
export async function rubyProgram(home: string, program: string, ...args: string[]): Promise<string> {
  await mkdir(home, { recursive: true })
  const { stdout, stderr } = await run(program, args, { cwd: home, env: await own(home) })
  return stdout + stderr
}

async function own(home: string): Promise<Record<string, string | undefined>> {
  return {
    HOME: home,
    GEM_HOME: join(home, 'gems'),
    // Without the gems that this computer has as packages.
    GEM_PATH: join(home, 'none'),
    RUBYOPT: undefined,
    BUNDLE_GEMFILE: undefined,
    BUNDLE_PATH: join(home, 'bundle'),
    BUNDLE_FORCE_RUBY_PLATFORM: 'true',
    BUNDLE_SILENCE_ROOT_WARNING: '1',
  }
}
