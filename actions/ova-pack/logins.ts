import { Pattern } from '../lib/disk/pattern.ts'
import type { RootFileSystem } from '../lib/disk/root-file-system.ts'

/** An account by which somebody gets into the shipped machine, or becomes root in it. */
export interface Login {
  account: string
  /** `none`: it lets nobody in; `empty`: it lets everybody in. */
  password: 'set' | 'empty' | 'none'
  /** Lines in its authorized_keys. */
  keys: number
  /** Whether sudo makes it root; `nopasswd`: without asking. */
  sudo: 'no' | 'password' | 'nopasswd'
  /** Its shell ends at once (nologin, false). */
  noShell: boolean
}

/** What whoever packs should know at once. */
export function openDoors(
  all: readonly Login[],
  { buildUser, root }: { buildUser?: string | undefined; root?: object | undefined },
): string[] {
  const empty = all.filter(({ password, noShell }) => password === 'empty' && !noShell)
  const built =
    buildUser === 'root' &&
    root === undefined &&
    all.some(({ account, password }) => account === 'root' && password === 'set')
  return [
    ...empty.map(
      ({ account }) => `${account} has an empty password in the shipped machine: everybody gets in`,
    ),
    ...(built
      ? [
          'root keeps the password it was built with, the same for every customer: pack.root says how root gets in',
        ]
      : []),
  ]
}

export interface AccountFiles {
  passwd: string
  shadow: string
  group: string
  /** /etc/sudoers and what is below /etc/sudoers.d. */
  sudoers: readonly string[]
  /** Home → text of its authorized_keys. */
  keys: ReadonlyMap<string, string>
}

/** Who can log in to the machine on a disk: root, and every account with a password, a key, or sudo without password. */
export async function logins(root: RootFileSystem): Promise<Login[]> {
  const texts = async (paths: readonly string[]) =>
    new Map([...(await root.read(paths))].map(([path, content]) => [path, content.toString()]))
  const files = await texts(['/etc/passwd', '/etc/shadow', '/etc/group', '/etc/sudoers'])
  const text = (path: string) => files.get(path) ?? ''
  const homes = [...new Set(fieldsOf(text('/etc/passwd')).map((fields) => fields[5] ?? ''))]
  const patterns = homes
    .filter((home) => home.startsWith('/'))
    .map((home) => new Pattern(`${home.replace(/\/+$/, '')}/.ssh/authorized_keys*`))
  const found = [...(await root.tree([...patterns, new Pattern('/etc/sudoers.d/*')])).values()]
  const paths = found.filter(({ kind }) => kind === 'file').map(({ path }) => path)
  const more = await texts(paths)
  const keys = new Map<string, string>()
  for (const [path, content] of more) {
    const home = /^(.*)\/\.ssh\/authorized_keys/.exec(path)?.[1]
    if (home !== undefined) keys.set(home || '/', `${keys.get(home || '/') ?? ''}${content}\n`)
  }
  const sudoers = [...more].filter(([path]) => /^\/etc\/sudoers\.d\/[^/.~]+$/.test(path))
  return loginsIn({
    passwd: text('/etc/passwd'),
    shadow: text('/etc/shadow'),
    group: text('/etc/group'),
    sudoers: [text('/etc/sudoers'), ...sudoers.map(([, content]) => content)],
    keys,
  })
}

/** @see passwd(5), shadow(5), group(5), sudoers(5) */
export function loginsIn({ passwd, shadow, group, sudoers, keys }: AccountFiles): Login[] {
  const hashes = new Map(fieldsOf(shadow).map(([name, hash]) => [name, hash ?? '']))
  const groups = fieldsOf(group)
  const rules = sudoers.flatMap(rulesOf)
  const accounts = fieldsOf(passwd).map(([name = '', inPasswd = '', uid, gid, , home = '', shell = '']) => {
    const hash = inPasswd === 'x' ? (hashes.get(name) ?? '*') : inPasswd
    const members = groups.filter(([, , id, all = '']) => id === gid || all.split(',').includes(name))
    const names = new Set(['ALL', name, `#${uid}`, ...members.map(([one]) => `%${one}`)])
    const own = rules.filter(({ who }) => names.has(who))
    const lines = (keys.get(home.replace(/(?<=.)\/+$/, '')) ?? '').split('\n')
    return {
      account: name,
      password: hash === '' ? 'empty' : /^[!*]/.test(hash) ? 'none' : 'set',
      keys: lines.filter((line) => /^\s*[^#\s]/.test(line)).length,
      sudo: own.some(({ free }) => free) ? 'nopasswd' : own.length > 0 ? 'password' : 'no',
      noShell: /\/(nologin|false)$/.test(shell),
    } satisfies Login
  })
  return accounts.filter(
    ({ account, password, keys, sudo }) =>
      account === 'root' || password !== 'none' || keys > 0 || sudo === 'nopasswd',
  )
}

function fieldsOf(text: string): string[][] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split(':'))
}

/** Who may do something as root, by name, aliases of users spelt out; `free`: without a password. */
function rulesOf(text: string): { who: string; free: boolean }[] {
  const lines = text.replaceAll('\\\n', ' ').split('\n')
  const aliases = new Map<string, string[]>()
  for (const line of lines)
    for (const [, name, members] of line.matchAll(/(?:^\s*User_Alias|:)\s+([A-Z]\w*)\s*=\s*([^:]+)/g))
      if (/^\s*User_Alias/.test(line)) aliases.set(name!, members!.trim().split(/\s*,\s*/))
  return lines.flatMap((line) => {
    const [, who, rest] =
      /^\s*((?:#(?=\d)|[^\s#=,])[^\s=,]*(?:\s*,\s*[^\s=,]+)*)\s+[^=]+=(.*)$/.exec(line) ?? []
    if (who === undefined || /^Defaults|_Alias$/.test(who)) return []
    const names = who.split(/\s*,\s*/).flatMap((name) => aliases.get(name) ?? [name])
    return names.map((name) => ({ who: name, free: /\bNOPASSWD\s*:/.test(rest!) }))
  })
}
