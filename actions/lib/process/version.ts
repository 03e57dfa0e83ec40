import { getExecOutput } from '@actions/exec'

/**
 * Program → the version it says it has, for `stage.json`: what may show in a result has a name there. A question of
 * milliseconds, so @actions/exec, which can neither abort nor kill, is good enough.
 */
export async function versionsOf(...programs: string[]): Promise<Record<string, string>> {
  const versions: Record<string, string> = {}
  for (const program of programs) {
    const { stdout } = await getExecOutput(program, ['--version'], { silent: true, ignoreReturnCode: true })
    versions[program] = /\d+(\.\d+)+/.exec(stdout)?.[0] ?? 'unknown'
  }
  return versions
}
