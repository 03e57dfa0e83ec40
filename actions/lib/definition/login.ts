import type { Asked } from './asked.ts'
import type { SshLogin } from './recipe-types.ts'

/** How long nearly every definition waits for the installed system. */
const LOGIN_TIMEOUT = 10_000
const WEEK = 604_800

/** Who logs in, and with what. */
export function readLogin(asked: Asked): SshLogin {
  const user = asked.text('ssh_user')
  const password = asked.text('ssh_password')
  const key = asked.text('ssh_key')
  // One at a fixed place of this computer is looked at when it is used.
  const found = key === undefined || /^[~/]/.test(key) ? undefined : asked.world.files.read(key)
  if (found && 'trouble' in found) asked.fault('ssh_key', `ssh_key names ${key}, which ${found.trouble}`, key)
  const windows = [...asked.declared.keys()].some((name) => name.startsWith('winrm_'))
  const lacks = (name: string) => !asked.unknown.has(name) && !asked.declared.has(name)
  if (user === undefined && !windows && !asked.unknown.has('ssh_user'))
    asked.missing(
      lacks('ssh_user')
        ? 'declares no ssh_user: nobody could log in to the machine'
        : 'declares an ssh_user without a name: nobody could log in to the machine',
    )
  else if (
    user !== undefined &&
    password === undefined &&
    key === undefined &&
    lacks('ssh_key') &&
    lacks('ssh_password')
  )
    asked.missing(`declares neither ssh_password nor ssh_key: ${user} could not log in to the machine`)
  return {
    user: user ?? '',
    password,
    key,
    guestPort: asked.number('ssh_guest_port', 22, 1, 65_535, ''),
    hostPort: asked.number('ssh_host_port', 2222, 1, 65_535, ''),
    timeout: asked.number('ssh_login_timeout', LOGIN_TIMEOUT, 0, WEEK, 'seconds') || LOGIN_TIMEOUT,
  }
}
