import { constants, readFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { ApplianceError } from '../errors/error.ts'
import { exists } from '../files/exists.ts'
import { textOf } from '../files/text.ts'
import type { Problem } from '../hypervisor/hypervisor.ts'
import { run } from '../process/command.ts'

/**
 * What to put before a command so that it runs alone with itself: in a network of its own, where there is nothing
 * but a loopback device that is down, and as the first of its own processes, so that all of them end when it does.
 * Everything in there is killed when `unshare` is, and whoever starts it with `lib/process` has it killed when he
 * dies himself. Without root, a user namespace makes us one.
 *
 * @see unshare(1) --kill-child; pid_namespaces(7)
 */
export function enter(): string[] {
  const user = isRoot() ? [] : ['--user', '--map-root-user', '--map-auto']
  return ['unshare', ...user, '--net', '--pid', '--fork', '--kill-child', '--']
}

/** Tries everything the private network takes, for real. Empty: it works. */
export async function canEnter(): Promise<Problem[]> {
  const said = await attempt('ip tuntap add dev try0 mode tap')
  if (said === undefined) {
    const bridge = await attempt('ip link add try0 type bridge')
    if (bridge === undefined) return []
    return [{ what: `this computer makes no network bridge (${bridge})`, remedy: 'sudo modprobe bridge' }]
  }
  if (!(await exists('/dev/net/tun', constants.F_OK)))
    return [
      {
        what: '/dev/net/tun is missing',
        remedy: 'sudo modprobe tun (in a container: --device /dev/net/tun)',
      },
    ]

  const entered = await attempt('true')
  if (entered === undefined) {
    if (!(await exists('/dev/net/tun', constants.R_OK | constants.W_OK)))
      return [{ what: '/dev/net/tun may not be opened by this user', remedy: 'sudo chmod 0666 /dev/net/tun' }]
    return [
      { what: `this computer makes no tap device (${said})`, remedy: 'Run as root, or allow /dev/net/tun.' },
    ]
  }
  return [await whyNotEntered(entered)]
}

/** Puts a name and a remedy to unshare's complaint. */
async function whyNotEntered(complaint: string): Promise<Problem> {
  if (isRoot())
    return {
      what: `root may make no namespaces here (${complaint})`,
      remedy: 'In a container, start it with --privileged, or with --cap-add SYS_ADMIN --cap-add NET_ADMIN.',
    }
  if ((await setting('kernel/apparmor_restrict_unprivileged_userns')) === '1')
    return {
      what: 'AppArmor keeps ordinary users from making namespaces (Ubuntu 23.10 and later)',
      remedy:
        'sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (and a file in /etc/sysctl.d to keep it), or run as root',
    }
  if ((await setting('kernel/unprivileged_userns_clone')) === '0')
    return {
      what: 'the kernel keeps ordinary users from making namespaces',
      remedy: 'sudo sysctl -w kernel.unprivileged_userns_clone=1, or run as root',
    }
  if (!(await exists('/usr/bin/newuidmap', constants.X_OK)))
    return { what: 'newuidmap is missing: it maps users into a namespace', remedy: 'apt-get install uidmap' }
  const { username } = userInfo()
  for (const file of ['/etc/subuid', '/etc/subgid'])
    if (!(await hasRange(file, username)))
      return {
        what: `${file} gives ${username} no range of ids`,
        remedy: `sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${username}`,
      }
  return { what: `no namespace can be made here (${complaint})`, remedy: 'Run as root.' }
}

/** Runs a command inside. The last line of what it says when it fails; undefined when it succeeds. */
async function attempt(words: string): Promise<string | undefined> {
  const [program, ...args] = [...enter(), ...words.split(' ')]
  try {
    const { status, stderr } = await run(program!, args, { allowFailure: true, timeout: 10_000 })
    return status === 0 ? undefined : stderr.trim().split('\n').at(-1) || `status ${status}`
  } catch (error) {
    if (error instanceof ApplianceError) return error.message
    throw error
  }
}

function isRoot(): boolean {
  return process.getuid?.() === 0
}

async function setting(name: string): Promise<string | undefined> {
  return (await readFile(`/proc/sys/${name}`, 'utf8').catch(() => undefined))?.trim()
}

async function hasRange(file: string, user: string): Promise<boolean> {
  const uid = String(userInfo().uid)
  const lines = (await textOf(file)).split('\n')
  return lines.some((line) => line.startsWith(`${user}:`) || line.startsWith(`${uid}:`))
}
