import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Guest } from '../../lib/guest/guest.ts'
import { exports, quote } from '../../lib/guest/quote.ts'
import type { Endpoint } from '../../lib/hypervisor/hypervisor.ts'
import { RUN } from '../../lib/mirror/guest-places.ts'
import { run } from '../../lib/process/command.ts'

/** A way into the guest that lasts for one step. */
export interface StepLogin {
  /** A HOME whose `.ssh/config` leads every host name to the machine. */
  home: string
  key: string
}

const FRAME = `${RUN}/with-mirror`
/** What there was before. */
const WAS = `${RUN}/login-was`

/**
 * Lets Capistrano in as a user of the guest, whatever host its own configuration names: an SSH configuration that
 * leads all of them to the machine, and a key of the step's own. The key is ECDSA in PEM, which Ruby's SSH knows
 * without further gems. What comes in by it is run with the mirror's environment, which sshd would not let through.
 *
 * @see ssh_config(5); sshd(8), "AUTHORIZED_KEYS FILE FORMAT", command=
 */
export async function openStepLogin(
  guest: Guest,
  user: string,
  { host, port }: Endpoint,
  env: Readonly<Record<string, string>>,
  folder: string,
): Promise<StepLogin & AsyncDisposable> {
  const ssh = join(folder, '.ssh')
  await mkdir(ssh, { recursive: true, mode: 0o700 })
  const key = join(ssh, 'id_ecdsa')
  await run('ssh-keygen', [
    '-q',
    '-t',
    'ecdsa',
    '-b',
    '256',
    '-m',
    'PEM',
    '-N',
    '',
    '-C',
    'appliance step',
    '-f',
    key,
  ])
  await writeFile(
    join(ssh, 'config'),
    `Host *
  HostName ${host}
  Port ${port}
  User ${user}
  IdentityFile ${key}
  IdentitiesOnly yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  GlobalKnownHostsFile /dev/null
`,
    { mode: 0o600 },
  )
  const publicKey = (await readFile(`${key}.pub`, 'utf8')).trim()
  const frame = `${exports(env)}if [ -n "$SSH_ORIGINAL_COMMAND" ]; then exec "\${SHELL:-/bin/sh}" -c "$SSH_ORIGINAL_COMMAND"; fi
exec "\${SHELL:-/bin/sh}" -l
`
  await guest.run(`cat > ${FRAME} && chmod 644 ${FRAME}`, { input: frame, title: 'preparing the login' })
  await guest.run(
    `${homeOf(user)}
[ -d "$home" ] || { echo "the guest has no user ${user} with a home" >&2; exit 1; }
rm -rf ${WAS}; mkdir -m 700 ${WAS}
id=$(id -u ${quote(user)}):$(id -g ${quote(user)})
[ -d "$home/.ssh" ] || { mkdir -m 700 "$home/.ssh" && chown "$id" "$home/.ssh" && touch ${WAS}/no-folder; }
if [ -e "$keys" ]; then
  cat "$keys" > ${WAS}/keys
  if [ -n "$(tail -c 1 "$keys")" ]; then echo >> "$keys"; fi
else
  (umask 077; : > "$keys") && chown "$id" "$keys" && touch ${WAS}/no-keys
fi
cat >> "$keys"`,
    {
      input: `command="sh ${FRAME}" ${publicKey}\n`,
      title: `letting the step in as ${user}`,
    },
  )
  const close = async () => {
    const material = publicKey.split(' ')[1]!
    // Written into, so that mode, owner and context stay; what the step itself has added stays, too.
    await guest
      .run(
        `${homeOf(user)}
if [ -e "$keys" ]; then
  grep -vF ${quote(material)} "$keys" > ${WAS}/now
  if [ -e ${WAS}/keys ] && [ "$(cat ${WAS}/now)" = "$(cat ${WAS}/keys)" ]; then cat ${WAS}/keys; else cat ${WAS}/now; fi > "$keys"
  if [ -e ${WAS}/no-keys ] && [ ! -s "$keys" ]; then rm "$keys"; fi
fi
if [ -e ${WAS}/no-folder ]; then rmdir --ignore-fail-on-non-empty "$home/.ssh"; fi
rm -rf ${FRAME} ${WAS}`,
        { allowFailure: true },
      )
      .catch(() => {})
  }
  return { home: folder, key, [Symbol.asyncDispose]: close }
}

function homeOf(user: string): string {
  return `home=$(getent passwd ${quote(user)} | cut -d: -f6); keys="$home/.ssh/authorized_keys"`
}
