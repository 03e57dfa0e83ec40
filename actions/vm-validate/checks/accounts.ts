import { definitionOf } from '../../lib/spec/machine.ts'
import type { Spec } from '../../lib/spec/spec.ts'
import type { CheckContext, Found } from './check.ts'

/** One line an account: name, uid, shell, and what its password is: empty, locked or set. */
const TABLE = `getent passwd | while IFS=: read -r name field uid _ _ _ shell; do
  hash=$field
  [ "$field" != x ] || hash=$(getent shadow "$name" 2>/dev/null | cut -d: -f2)
  [ "$field" != x ] || getent shadow "$name" >/dev/null 2>&1 || hash='*'
  case "$hash" in '') kind=empty ;; '!'*|'*'*|x) kind=locked ;; *) kind=set ;; esac
  echo "$name $uid \${shell:-/bin/sh} $kind"
done`

type Declared = {
  users: readonly { name: string; password?: string | undefined }[]
  /** What is packed says how root gets in; before it is packed, that is as the build left it. */
  root: Spec['pack']['root']
  /**
   * By whom the machine was built, where a definition says so (its `ssh_user`): the account is there, and until sealing
   * locks it, its password.
   */
  builder?: { name: string; locked: boolean } | undefined
}

/** Accounts that let people in and that nobody declared; those that are declared and do not; empty passwords. */
export function accountFaults(table: string, { users, root, builder }: Declared): string[] {
  const accounts = table
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(' ') as [name: string, uid: string, shell: string, password: string])
  const declared = new Map(users.map((user) => [user.name, user]))
  const builds = (name: string) => name === builder?.name && !declared.has(name)
  const givesPassword = typeof root === 'object' && 'password' in root
  const mayHave = (name: string) =>
    name === 'root' ? givesPassword : declared.get(name)?.password !== undefined
  const where = (name: string) => (name === 'root' ? 'pack.root' : 'basebox.bootstrap.users')
  const faults = accounts.flatMap(([name, uid, shell, password]) => {
    const human = Number(uid) >= 1000 && Number(uid) < 65_534
    const enters = !/(nologin|false|sync)$/.test(shell)
    const found: string[] = []
    if (uid === '0' && name !== 'root') found.push(`${name} has uid 0: it is root by another name`)
    if (password === 'empty' && enters) found.push(`${name} can log in without a password`)
    else if (builds(name) && !builder?.locked) return found
    else if (password === 'set' && !mayHave(name))
      found.push(`${name} has a password, which nobody declared (${where(name)})`)
    else if (password === 'locked' && mayHave(name))
      found.push(`${name} has no password, and one is declared (${where(name)})`)
    else if (human && enters && !declared.has(name) && !builds(name))
      found.push(`${name} (uid ${uid}) can log in, and nobody declared it (basebox.bootstrap.users)`)
    return found
  })
  const missing = users.filter(({ name }) => !accounts.some(([there]) => there === name))
  return [...faults, ...missing.map(({ name }) => `${name} is declared, and there is no such user`)]
}

/** Who can log in, against who may. */
export async function accounts({ course, spec, sealed, signal }: CheckContext): Promise<Found> {
  const users = spec.basebox.bootstrap?.users ?? []
  const root = sealed ? spec.pack.root : undefined
  const builtBy = definitionOf(spec.basebox, course.project)?.recipe?.ssh.user
  const builder = builtBy === undefined ? undefined : { name: builtBy, locked: sealed }
  const { stdout } = await course.test.guest.run(TABLE, { signal, timeout: 120_000 })
  const others = users.map(({ name }) => name).join(', ') || 'no other'
  return {
    faults: accountFaults(stdout, { users, root, builder }),
    finding: `root ${words(root)}; ${others} logs in`,
  }
}

function words(root: Spec['pack']['root']): string {
  if (typeof root === 'object')
    return 'password' in root ? 'has its password' : 'has its key, and no password'
  return 'has no password'
}
