import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError } from '../errors/error.ts'
import { textOf } from '../files/text.ts'

/**
 * In a `build/` that a release began empty (appliance-release.yml writes it): the id of its run. While it is there,
 * nothing in there is from anybody else.
 */
const RELEASE_MARK = '.release'

/**
 * One builder at a time in a project's `build/`: a file with our process id, which a crashed builder leaves behind
 * and the next one takes over.
 */
export async function occupy(buildDirectory: string): Promise<AsyncDisposable> {
  await mkdir(buildDirectory, { recursive: true })
  const path = join(buildDirectory, '.occupied')
  for (;;) {
    try {
      const file = await open(path, 'wx')
      await file.writeFile(`${process.pid}\n`)
      await file.close()
      await endForeignRelease(buildDirectory)
      return { [Symbol.asyncDispose]: () => rm(path, { force: true }) }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const pid = Number(await textOf(path))
    if (pid > 0 && isAlive(pid))
      throw new ApplianceError(
        'input',
        `another appliance command (process ${pid}) works in ${buildDirectory}`,
        {
          hint: 'Wait until it has ended, or end it.',
        },
      )
    await rm(path, { force: true })
  }
}

/** What we do here is no part of another run's release. */
async function endForeignRelease(buildDirectory: string): Promise<void> {
  const mark = join(buildDirectory, RELEASE_MARK)
  if ((await textOf(mark)).trim() !== (process.env.GITHUB_RUN_ID ?? '')) await rm(mark, { force: true })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return pid !== process.pid
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
