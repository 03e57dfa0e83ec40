import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../../../actions/lib/process/command.ts'
import type { ProgramRoot } from '../../../actions/mirror-deps/program-root.ts'

/** This computer's dnf, rpm and createrepo_c in place of a root's: the programs that run in it are the same. */
export function hostPrograms(directory: string): ProgramRoot {
  const home = join(directory, 'work')
  return {
    directory,
    inside: (folder) => join(home, folder),
    async run([command, ...args], { env = {}, folder = '', ...options }) {
      const cwd = join(home, folder)
      await mkdir(cwd, { recursive: true })
      const own = { ...env, HOME: home, LC_ALL: 'C.UTF-8', PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }
      return await run(command!, args, { ...options, cwd, env: own })
    },
  }
}
