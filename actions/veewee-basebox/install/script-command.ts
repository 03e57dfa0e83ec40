import type { Recipe } from '../../lib/definition/recipe-types.ts'
import { quote } from '../../lib/guest/quote.ts'

/** How a script becomes root: `%p` password, `%u` user, `%f` script. */
export function commandFor(script: string, { ssh, sudoCommand, postinstall }: Recipe): string {
  const { before } = postinstall
  const whole = before ? `./${before.name} ${script}` : script
  if (ssh.user === 'root') return whole
  if (before) return sudo(`${whole}`, ssh.password)
  const values: Record<string, string> = { p: ssh.password ?? '', u: ssh.user, f: script }
  return sudoCommand.replace(/%([puf])/g, (_, name: string) => values[name]!)
}

function sudo(command: string, password: string | undefined): string {
  return password === undefined ? `sudo ${command}` : `echo ${quote(password)} | sudo -S ${command}`
}
