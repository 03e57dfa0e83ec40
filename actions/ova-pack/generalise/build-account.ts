import { type Operation, type Rule, remove } from './operation.ts'

/** Groups whose members become root by sudo's usual rules, or by what they may start. */
const POWERFUL = ['sudo', 'wheel', 'admin', 'root', 'docker', 'lxd']

/**
 * The account through which a machine was built keeps its files, but no way in and no rights. A definition's password
 * is in everybody's hands: `vagrant`.
 *
 * @param user of the definition, its `ssh_user`; nothing for root, whose access `pack.root` decides
 */
export function buildAccount(user: string | undefined): Operation[] {
  if (user === undefined || user === 'root') return []
  const files = ['/etc/sudoers', '/etc/sudoers.d/*']
  const rules: Rule[] = [
    ...remove(`/etc/sudoers.d/{,90-,99-,50-,10-}{${user},${user}.conf}`),
    ...files.map((pattern): Rule => ({ kind: 'edit', pattern, change: (text) => withoutRules(text, user) })),
    ...['/etc/group', '/etc/gshadow'].map((pattern): Rule => {
      return { kind: 'edit', pattern, change: (text) => withoutMember(text, user) }
    }),
    { kind: 'edit', pattern: '/etc/shadow', change: (text) => locked(text, user) },
  ]
  return [
    {
      name: 'build account',
      reason: "The password and sudo rights of the definition's ssh_user would open every customer's.",
      rules,
    },
  ]
}

/** A password that is locked with its hash behind the `!` could be unlocked again. @see shadow(5) */
function locked(shadow: string, user: string): string {
  return eachLine(shadow, ([name, password = '', ...rest]) =>
    name === user && !/^[!*]+$/.test(password) ? [name, '!', ...rest] : undefined,
  )
}

/** @see group(5), gshadow(5): the members are the last field of either, the administrators of gshadow the third */
function withoutMember(text: string, user: string): string {
  const without = (names: string) =>
    names
      .split(',')
      .filter((name) => name !== user)
      .join(',')
  return eachLine(text, ([name, password, third, members]) =>
    POWERFUL.includes(name!) && members !== undefined
      ? [name!, password!, without(third!), without(members)]
      : undefined,
  )
}

function eachLine(text: string, change: (fields: string[]) => string[] | undefined): string {
  return text
    .split('\n')
    .map((line) => change(line.split(':'))?.join(':') ?? line)
    .join('\n')
}

/** The rules for a user, and for the group of its name, go; where they name others, too, those keep them. */
function withoutRules(sudoers: string, user: string): string {
  const lines = sudoers.split(/(?<!\\)\n/)
  return lines
    .flatMap((line) => {
      const [, before, who, rest] =
        /^(\s*)([^\s#=,][^\s=,]*(?:\s*,\s*[^\s=,]+)*)(\s+[\s\S]*=[\s\S]*)$/.exec(line) ?? []
      if (who === undefined || /^Defaults|_Alias$/.test(who)) return [line]
      const names = who.split(/\s*,\s*/)
      const others = names.filter((name) => name !== user && name !== `%${user}`)
      if (others.length === names.length) return [line]
      return others.length === 0 ? [] : [`${before}${others.join(', ')}${rest}`]
    })
    .join('\n')
}
