import { userInfo } from 'node:os'
import { type CommandOptions, type CommandResult, run } from './command.ts'

/**
 * Runs a program that must be root (mmdebstrap, chroot), and everything it starts, as processes that end with us:
 * in a process namespace of their own, whose first process the kernel kills with its parent. Who is not root
 * becomes root in a user namespace, with the ids of /etc/subuid.
 *
 * @see unshare(1) --kill-child, --map-auto
 */
export function asRoot(
  command: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  const user = userInfo().uid === 0 ? [] : ['--user', '--map-root-user', '--map-auto']
  return run('unshare', [...user, '--pid', '--fork', '--kill-child', '--', command, ...args], options)
}
