import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type CommandOptions, type CommandResult, run } from '../process/command.ts'
import { ABI, bootRuby, RUBY } from './boot-ruby.ts'
import type { ToolsRoot } from './tools.ts'

/**
 * Runs a Ruby program with the tools' Ruby and gems *on this computer's files*: what it starts (git) are this
 * computer's programs, its network is ours.
 *
 * @param home its home, where it may leave what it likes
 * @throws CommandFailed
 */
export async function runToolsRuby(
  root: Pick<ToolsRoot, 'directory'>,
  program: string,
  args: readonly string[],
  { home, ...options }: CommandOptions & { home: string },
): Promise<CommandResult> {
  await mkdir(home, { recursive: true })
  const [boot, script] = [join(home, 'boot.rb'), join(home, 'program.rb')]
  await writeFile(boot, bootRuby(root.directory, join(home, 'gems')))
  await writeFile(script, program)
  const usr = join(root.directory, 'usr')
  const libraries = join(usr, 'lib/x86_64-linux-gnu')
  return await run(
    join(usr, 'lib64/ld-linux-x86-64.so.2'),
    ['--library-path', libraries, join(usr, `bin/ruby${RUBY}`), '--disable-gems', boot, script, ...args],
    {
      ...options,
      env: {
        RUBYLIB: [
          join(usr, 'lib/ruby/vendor_ruby'),
          join(usr, 'lib/ruby', ABI),
          join(libraries, 'ruby', ABI),
        ].join(':'),
        RUBYOPT: undefined,
        GEM_HOME: undefined,
        GEM_PATH: undefined,
        BUNDLE_GEMFILE: undefined,
        HOME: home,
        LANG: 'C.UTF-8',
        LC_ALL: 'C.UTF-8',
        ...options.env,
      },
    },
  )
}
