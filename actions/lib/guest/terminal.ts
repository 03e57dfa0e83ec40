import { randomBytes } from 'node:crypto'
import { ending, launch } from '../process/command.ts'
import type { Connection } from './connection.ts'
import type { Guest, GuestRunOptions, Terminal } from './guest.ts'
import { exports, quote } from './quote.ts'

/**
 * Runs a command line on a terminal of its own in the guest (`ssh -tt`). The command comes as a file that the shell
 * removes before it begins, so that neither it nor its environment is among any program's arguments.
 */
export async function terminalOver(
  connection: Connection,
  guest: Guest,
  commandLine: string,
  { as, env = {}, signal }: Pick<GuestRunOptions, 'as' | 'env' | 'signal'>,
): Promise<Terminal> {
  const file = `/tmp/.appliance-${randomBytes(6).toString('hex')}`
  // A client without a terminal of its own gives the guest's one no manners at all.
  const text = `rm -f ${file}; stty sane rows 24 cols 80 2>/dev/null\n${exports({ TERM: 'dumb', ...env })}${commandLine}\n`
  const other = as !== undefined && as !== connection.user
  await guest.run(`umask 077; cat >${file}`, {
    input: text,
    title: 'a command for a terminal',
    ...(other ? { as } : {}),
    ...(signal ? { signal } : {}),
  })
  const become = other ? `${connection.user === 'root' ? 'runuser' : 'sudo -n'} -u ${quote(as)} -- ` : ''
  const child = launch('ssh', ['-tt', ...connection.args, `exec ${become}/bin/sh ${file}`], {}, [
    'pipe',
    'pipe',
    'pipe',
  ])
  child.stdin!.on('error', () => {})
  child.stderr!.resume()
  return {
    onText: (hear) => void child.stdout!.setEncoding('utf8').on('data', hear),
    type: (keys) => void child.stdin!.write(keys),
    ended: ending(child, 'ssh'),
    async [Symbol.asyncDispose]() {
      // Its terminal goes with it: what runs there is hung up.
      child.kill('SIGTERM')
    },
  }
}
