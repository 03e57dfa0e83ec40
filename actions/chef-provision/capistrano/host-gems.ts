import { mkdir, rename, rm, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError } from '../../lib/errors/error.ts'
import { sha256 } from '../../lib/files/digest.ts'
import { exists } from '../../lib/files/exists.ts'
import { mirrorTree } from '../../lib/mirror/tree-place.ts'
import { run } from '../../lib/process/command.ts'
import { lockOf } from '../../lib/stage/project.ts'
import type { StageWork } from '../../lib/stage/stage.ts'

/**
 * The gems of a source `for: host`, installed by this computer's Ruby from the mirror alone, once for each set of
 * gems: `build/tools/gems-<digest>/`.
 *
 * @returns the folder, a GEM_HOME
 */
export async function hostGems(
  name: string,
  { project, log, signal }: Pick<StageWork, 'project' | 'log' | 'signal'>,
): Promise<string> {
  const source = lockOf(project).gem.find((one) => one.name === name && one.for === 'host')
  if (!source)
    throw new ApplianceError('stale', `the lock has no gems ${name} for: host`, {
      hint: 'Run `appliance lock`, then `appliance mirror-deps`.',
    })
  const { stdout: ruby } = await run('ruby', ['-e', 'print RUBY_PLATFORM, " ", RUBY_VERSION'])
  const key = sha256(JSON.stringify([ruby, source.gems.map((gem) => gem.sha256)])).slice(0, 16)
  const home = join(project.buildDirectory, 'tools', `gems-${key}`)
  if (await exists(home)) {
    // `appliance gc` takes what is not used any more.
    await utimes(home, new Date(), new Date())
    return home
  }
  const partial = `${home}.partial`
  await rm(partial, { recursive: true, force: true })
  await mkdir(partial, { recursive: true })
  const tree = mirrorTree(project, 'gem', name)
  const wanted = source.gems.map((gem) => `${gem.name}:${gem.version}`)
  await log.group(`installing the gems of ${name} on this computer`, () =>
    run(
      'gem',
      [
        'install',
        '--quiet',
        '--no-document',
        '--install-dir',
        partial,
        '--clear-sources',
        '--source',
        `file://${tree}/`,
        ...wanted,
      ],
      {
        signal,
        env: {
          GEM_HOME: partial,
          GEM_PATH: partial,
          GEMRC: '/dev/null',
          RUBYOPT: undefined,
          BUNDLE_GEMFILE: undefined,
        },
      },
    ),
  )
  await rename(partial, home)
  return home
}
