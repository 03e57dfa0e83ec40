import type { Operation, Rule } from './operation.ts'

/** How root gets in at the customer's, ready to be written. */
export type RootAccess =
  | { kind: 'locked' }
  | { kind: 'asks' }
  /** @see crypt(5) */
  | { kind: 'password'; hash: string }
  /** Lines of authorized_keys. */
  | { kind: 'key'; lines: string }

const ASK = '/usr/lib/appliance/ask-root-password'
const DONE = '/var/lib/appliance/root-password.done'

/** What the spec decides about root; nothing where it says nothing. */
export function rootAccess(access: RootAccess | undefined): Operation[] {
  if (access === undefined) return []
  const password = access.kind === 'password' ? access.hash : '!*'
  const rules: Rule[] = [
    { kind: 'edit', pattern: '/etc/shadow', change: (text) => withPassword(text, password) },
  ]
  if (access.kind === 'key')
    rules.push({ kind: 'write', path: '/root/.ssh/authorized_keys', content: access.lines, mode: 0o600 })
  if (access.kind === 'asks')
    rules.push(
      { kind: 'write', path: ASK, content: askScript, mode: 0o755 },
      {
        kind: 'write',
        path: '/etc/systemd/system/getty@tty1.service.d/appliance.conf',
        content: console,
        mode: 0o644,
      },
    )
  return [{ name: 'root', reason: reasons[access.kind], rules }]
}

const reasons: Record<RootAccess['kind'], string> = {
  locked: 'The spec says that nobody logs in as root: no password, no key.',
  asks: 'The spec has the customer choose a password at the first console.',
  password: 'The spec gives root a password.',
  key: 'The spec lets the owner of a key in as root.',
}

function withPassword(shadow: string, password: string): string {
  return shadow
    .split('\n')
    .map((line) => (line.startsWith('root:') ? line.replace(/^root:[^:]*/, () => `root:${password}`) : line))
    .join('\n')
}

/** The login on the first console asks before it lets anybody log in; the machine boots meanwhile. */
const console = `[Service]
ExecStart=
ExecStart=-${ASK} - $TERM
StandardInput=tty
StandardOutput=tty
`

const askScript = `#!/bin/sh
# Asks once for a password for root, then is the console's login.
if [ ! -e ${DONE} ]; then
  trap '' INT QUIT TSTP
  while :; do
    printf '\\n%s: choose a password for root.\\nPassword: ' "$(hostname)"
    stty -echo; IFS= read -r one || exit 1; stty echo
    printf '\\nOnce more: '
    stty -echo; IFS= read -r two || exit 1; stty echo
    echo
    if [ -z "$one" ]; then echo 'An empty password is none.'
    elif [ "$one" != "$two" ]; then echo 'They differ.'
    elif printf 'root:%s\\n' "$one" | chpasswd; then
      mkdir -p ${DONE.slice(0, DONE.lastIndexOf('/'))} && touch ${DONE} && sync
      break
    fi
  done
fi
trap - INT QUIT TSTP
exec /sbin/agetty -o '-p -- \\u' --noclear "$@"
`
