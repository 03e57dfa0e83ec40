import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError, CommandFailed } from '../../lib/errors/error.ts'
import { run } from '../../lib/process/command.ts'
import { formatDuration } from '../../lib/units/duration.ts'
import type { Runner } from '../provisioning.ts'
import { LastLines } from '../steps/in-guest.ts'
import { hostGems } from './host-gems.ts'
import { openStepLogin } from './login.ts'

/**
 * Runs the user's own Capfile on this computer, where nothing but guest and mirror can be reached, with Capistrano from
 * the mirrored gems. Its hosts' names all lead to the machine; its repository is found in the mirror.
 */
export const capistrano: Runner<'capistrano'> = async (step, { work, machine, guest, env }) => {
  const user = step.as ?? 'root'
  const gems = await hostGems(step.gems, work)
  const endpoint = await machine.reach(22)
  const folder = await mkdtemp(join(work.workDirectory, 'capistrano-'))
  await using login = await openStepLogin(guest, user, endpoint, env, folder)
  const last = new LastLines(6)
  try {
    await run(
      'ruby',
      [join(gems, 'bin', 'cap'), step.deployStage, ...step.tasks, ...(step.trace ? ['--trace'] : [])],
      {
        cwd: step.directory,
        signal: work.signal,
        ...(step.timeout === undefined ? {} : { timeout: step.timeout }),
        env: {
          GEM_HOME: gems,
          GEM_PATH: gems,
          RUBYOPT: undefined,
          BUNDLE_GEMFILE: undefined,
          HOME: login.home,
          SSH_AUTH_SOCK: undefined,
          APPLIANCE_MIRROR: env.APPLIANCE_MIRROR,
          APPLIANCE_HOST: endpoint.host,
          APPLIANCE_PORT: String(endpoint.port),
          APPLIANCE_USER: user,
          APPLIANCE_KEY: login.key,
          APPLIANCE_SSH_CONFIG: join(login.home, '.ssh', 'config'),
          ...step.env,
        },
        onOutput: (text) => {
          last.add(text)
          if (!step.sensitive) work.log.guest(text)
        },
      },
    )
  } catch (error) {
    if (!(error instanceof ApplianceError)) throw error
    const own = error instanceof CommandFailed ? abortedFor(error.stderrTail) : undefined
    const said = step.sensitive ? '' : (own ?? last.lines().join(' | '))
    const ends = said ? `${own ? ':' : '; it last said:'} ${said}` : ''
    if (error.code === 'timeout')
      throw new ApplianceError(
        'timeout',
        `${step.title} took longer than ${formatDuration(step.timeout!)}${ends}`,
      )
    if (error.code !== 'command-failed') throw error
    throw new ApplianceError(
      'guest-failed',
      `${step.title} failed${ends}`,
      step.sensitive ? {} : { cause: error },
    )
  }
  return undefined
}

/** What Rake says a run was aborted for, before it tells where; the rest is Capistrano's log again. */
export function abortedFor(stderr: string): string | undefined {
  const [, why] =
    /(?:^|\n)cap aborted!\n([\s\S]+?)(?:\n\s*\n|\n\(Backtrace|\nTasks:|\nCaused by:|$)/.exec(stderr) ?? []
  const lines = why
    ?.split('\n')
    .map((line) => line.trim())
    .filter((line) => line && !/stdout: Nothing written$/.test(line))
  return lines?.slice(0, 6).join(' | ')
}
