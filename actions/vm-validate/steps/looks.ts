import { ApplianceError } from '../../lib/errors/error.ts'
import type { Guest } from '../../lib/guest/guest.ts'
import { quote } from '../../lib/guest/quote.ts'
import type { FileLook, Listening, PackageLook, Process, Unit, UserLook } from '../../lib/spec/scenario.ts'
import { parseListeners } from '../listens.ts'
import { allOf, mismatch, type Outcome, type Surroundings, shown, unlike } from './outcome.ts'

/** Bytes of a file that are looked through. */
const LONGEST_FILE = 4 << 20

/** Runs shell lines that print facts as `name=value`; those that were printed. */
export async function facts(
  guest: Guest,
  script: string,
  { signal, limit }: Pick<Surroundings, 'signal' | 'limit'>,
): Promise<Map<string, string>> {
  const { stdout } = await guest.run(script, { signal, timeout: limit, allowFailure: true })
  return new Map(
    stdout.split('\n').flatMap((line) => {
      const at = line.indexOf('=')
      return at > 0 ? [[line.slice(0, at), line.slice(at + 1)] as const] : []
    }),
  )
}

const differs = (what: string, expected: string | number | undefined, got: string | undefined) =>
  expected === undefined || String(expected) === got
    ? undefined
    : unlike(what, String(expected), got === undefined || got === '' ? 'none' : got)

export async function lookAtService(
  { unit, state = 'active', enabled }: Unit,
  around: Surroundings,
): Promise<Outcome> {
  const name = unit.includes('.') ? unit : `${unit}.service`
  const found = await facts(
    around.guest,
    `systemctl show ${quote(name)} -p LoadState -p ActiveState -p SubState -p UnitFileState -p Result`,
    around,
  )
  const [load, active] = [found.get('LoadState'), found.get('ActiveState')]
  if (load === undefined) throw new ApplianceError('guest-failed', 'systemd does not answer in the guest')
  if (load === 'not-found') return { met: false, finding: `there is no unit ${name}` }
  const starts =
    enabled !== undefined && (await startsWithMachine(name, found.get('UnitFileState') ?? '', around))
  const result = active === 'failed' ? `failed (${found.get('Result')})` : active
  return allOf(`${name} is ${result} (${found.get('SubState')}), ${found.get('UnitFileState')}`, [
    active === state ? undefined : unlike(name, `to be ${state}`, `${result} (${found.get('SubState')})`),
    enabled === undefined || enabled === starts
      ? undefined
      : unlike(
          `start of ${name}`,
          enabled ? 'enabled' : 'disabled',
          `${found.get('UnitFileState') || 'none'}${starts ? ', and something that starts wants it' : ''}`,
        ),
  ])
}

/**
 * What is `static` or `generated` cannot be enabled and starts because others want it; what is `enabled-runtime` is so
 * until the next restart.
 *
 * @see systemctl(1), is-enabled
 */
async function startsWithMachine(name: string, state: string, around: Surroundings): Promise<boolean> {
  if (state === 'enabled') return true
  if (!['static', 'indirect', 'generated', 'alias'].includes(state)) return false
  const wanted = await facts(
    around.guest,
    `systemctl list-dependencies --all --plain --no-pager default.target | sed 's/.* //;s/^/unit=/' | grep -Fx ${quote(`unit=${name}`)}`,
    around,
  )
  return wanted.has('unit')
}

export async function lookForProcess(
  { program, user, count }: Process,
  { guest, signal, limit }: Surroundings,
): Promise<Outcome> {
  const { stdout } = await guest.run('ps -e -ww -o pid= -o user:32= -o comm= -o args=', {
    signal,
    timeout: limit,
  })
  const found = stdout.split('\n').flatMap((line) => {
    const [, pid, owner, name, args] = /^\s*(\d+)\s+(\S+)\s+(\S+)\s+(.*)$/.exec(line) ?? []
    const fits = name === program || args?.includes(program)
    return fits && name !== 'ps' && (user === undefined || user === owner) ? [`${pid} ${owner} ${args}`] : []
  })
  const whose = user === undefined ? '' : ` of ${user}`
  const met = count === undefined ? found.length > 0 : found.length === count
  const expected = count === undefined ? 'one at least' : String(count)
  return {
    met,
    finding: met
      ? `${found.length} of ${program}${whose}`
      : unlike(`processes of ${program}${whose}:`, expected, String(found.length)),
    output: found.join('\n'),
  }
}

/** What `stat` calls it → what scenarios call it. */
const fileTypes: Record<string, string> = {
  'regular file': 'file',
  'regular empty file': 'file',
  directory: 'folder',
  'symbolic link': 'link',
  socket: 'socket',
}

export async function lookAtFile(step: FileLook, around: Surroundings): Promise<Outcome> {
  const path = quote(step.path)
  // A link is looked at itself only where one is expected.
  const follow = step.type === 'link' ? '' : '-L '
  const found = await facts(
    around.guest,
    `if test -e ${path} || test -L ${path}; then echo there=yes; LC_ALL=C stat ${follow}-c 'type=%F
mode=%a
owner=%U
group=%G
size=%s' -- ${path}; ${step.sha256 === undefined ? '' : `echo "sha256=$(sha256sum <${path} | cut -d' ' -f1)";`} else echo there=no; fi`,
    around,
  )
  if (!found.has('there')) throw new ApplianceError('guest-failed', `${step.path} cannot be looked at`)
  const there = found.get('there') === 'yes'
  if (step.exists === false) return { met: !there, finding: `${step.path} is ${there ? '' : 'not '}there` }
  if (!there) return { met: false, finding: `there is no ${step.path}` }
  const type = fileTypes[found.get('type') ?? ''] ?? found.get('type')
  const text = step.contains === undefined ? '' : await contentOf(step.path, around)
  const mode = found.get('mode')
  return allOf(
    `${step.path}: ${type}, ${mode}, ${found.get('owner')}:${found.get('group')}, ${found.get('size')} bytes`,
    [
      differs('type', step.type, type),
      step.mode === undefined || step.mode === Number.parseInt(mode ?? '', 8)
        ? undefined
        : unlike('mode', step.mode.toString(8), mode ?? 'none'),
      differs('owner', step.owner, found.get('owner')),
      differs('group', step.group, found.get('group')),
      differs('SHA-256', step.sha256, found.get('sha256')),
      mismatch('content', step.contains, text),
    ],
    step.contains === undefined ? {} : { value: text },
  )
}

async function contentOf(path: string, { guest, signal, limit }: Surroundings): Promise<string> {
  const { stdout } = await guest.run(`head -c ${LONGEST_FILE} <${quote(path)}`, {
    signal,
    timeout: limit,
    allowFailure: true,
  })
  return stdout
}

export async function lookForPackage(
  { package: name, version, installed = true }: PackageLook,
  around: Surroundings,
): Promise<Outcome> {
  const found = await facts(
    around.guest,
    `if command -v dpkg-query >/dev/null; then dpkg-query -W -f 'status=\${db:Status-Status}\\nversion=\${Version}\\n' ${quote(name)} 2>/dev/null || echo status=none
elif command -v rpm >/dev/null; then rpm -q --qf 'status=installed\\nversion=%{EVR}\\n' ${quote(name)} || echo status=none; fi`,
    around,
  )
  const status = found.get('status')
  if (status === undefined) throw new ApplianceError('guest-failed', 'the guest has neither dpkg nor rpm')
  const is = status === 'installed'
  const what = is ? `${name} ${found.get('version')} is installed` : `${name} is not installed`
  if (!installed) return { met: !is, finding: what }
  if (!is) return { met: false, finding: what }
  return allOf(what, [mismatch('version', version, found.get('version') ?? '')], {
    value: found.get('version') ?? '',
  })
}

export async function lookAtUser(step: UserLook, around: Surroundings): Promise<Outcome> {
  const name = quote(step.user)
  const found = await facts(
    around.guest,
    `getent passwd ${name} | awk -F: '{ print "there=yes"; print "uid=" $3; print "home=" $6; print "shell=" $7; print "field=[" substr($2, 1, 1) "]" }'
echo "groups=$(id -Gn ${name} 2>/dev/null)"
getent shadow ${name} 2>/dev/null | awk -F: '{ print "hash=[" substr($2, 1, 1) "]" }'`,
    around,
  )
  if (!found.has('groups')) throw new ApplianceError('guest-failed', `${step.user} cannot be looked at`)
  const there = found.get('there') === 'yes'
  if (step.exists === false)
    return { met: !there, finding: `there is ${there ? 'a' : 'no'} user ${step.user}` }
  if (!there) return { met: false, finding: `there is no user ${step.user}` }
  const groups = (found.get('groups') ?? '').split(' ')
  const lacking = (step.groups ?? []).filter((group) => !groups.includes(group))
  const field = found.get('field') ?? ''
  const password = passwordOf(field === '[x]' ? found.get('hash') : field)
  return allOf(
    `${step.user}: uid ${found.get('uid')}, ${found.get('shell')}, in ${groups.join(', ')}; password ${password}`,
    [
      differs('uid', step.uid, found.get('uid')),
      differs('shell', step.shell, found.get('shell')),
      differs('home', step.home, found.get('home')),
      differs('password', step.password, password),
      lacking.length > 0 ? unlike('groups', `to have ${lacking.join(', ')}`, groups.join(', ')) : undefined,
    ],
  )
}

/**
 * A hash begins with $ (or is one of DES); `!` and `*` begin what none can be. An empty one lets everybody in.
 *
 * @param hash its first character, in brackets; undefined where there is no entry
 * @see crypt(5), shadow(5)
 */
function passwordOf(hash: string | undefined): 'set' | 'empty' | 'locked' {
  if (hash === '[]') return 'empty'
  return hash !== undefined && /^\[[$\w./]\]$/.test(hash) ? 'set' : 'locked'
}

export async function lookForListener(
  { port, protocol, address, program }: Listening,
  { guest, signal, limit }: Surroundings,
): Promise<Outcome> {
  const { stdout } = await guest.run('ss -H -ltnup', { signal, timeout: limit })
  const lines = stdout.split('\n').filter((line) => {
    const [found] = parseListeners(line)
    return found?.port === port && found.protocol === protocol
  })
  const name = `${port}/${protocol}`
  if (lines.length === 0) return { met: false, finding: `nothing listens on ${name}` }
  const addresses = lines.map((line) => parseListeners(line)[0]!.address)
  const programs = [
    ...new Set(lines.flatMap((line) => [...line.matchAll(/\("([^"]+)"/g)].map(([, one]) => one!))),
  ]
  return allOf(
    `${programs.join(', ') || 'something'} listens on ${name} at ${addresses.join(', ')}`,
    [
      address === undefined || addresses.every((one) => one === address)
        ? undefined
        : unlike(`address of ${name}`, address, addresses.join(', ')),
      program === undefined || programs.includes(program)
        ? undefined
        : unlike(`program at ${name}`, program, programs.join(', ') || shown(undefined)),
    ],
    { output: lines.join('\n') },
  )
}
