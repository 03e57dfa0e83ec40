import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { ApplianceError, type ErrorCode, toApplianceError } from '../../lib/errors/error.ts'
import { endOfFile } from '../../lib/files/end.ts'
import { POWERED_OFF } from '../../lib/hypervisor/booted.ts'
import type { Machine } from '../../lib/hypervisor/hypervisor.ts'
import { parseYaml } from '../../lib/spec/positions.ts'
import { listAt, textAt } from '../../lib/spec/raw.ts'
import { formatDuration } from '../../lib/units/duration.ts'
import type { Provisioning } from '../provisioning.ts'

/**
 * A failed step's error with what is behind it, where the guest can still tell: memory or disk that ran out, or a
 * package that the mirror does not have.
 *
 * @param took ms of the step; what the kernel said before it is not the step's
 */
export async function diagnosed(
  thrown: unknown,
  { guest, work, machine, serial }: Diagnosed,
  took: number,
): Promise<unknown> {
  if (!(thrown instanceof ApplianceError)) return thrown
  const evidence = () => [...new Set([...thrown.evidence, ...machine.evidence])]
  const again = (more: { what?: string; hint?: string | undefined; code?: ErrorCode } = {}) => {
    const { what, hint = thrown.hint, code = thrown.code } = more
    const message = what ? `${thrown.message}. ${what}` : thrown.message
    return new ApplianceError(code, message, {
      evidence: evidence(),
      cause: thrown,
      ...(hint ? { hint } : {}),
    })
  }
  if (thrown.code === 'input') return again()
  if (thrown.code === 'no-answer') return again(await whySilent(machine, serial, work.signal))
  const asked = await guest.run(ASKED, { allowFailure: true, timeout: 30_000 }).catch(toApplianceError)
  // A copy, or Capistrano, tells of a lost connection in its own words.
  if (asked instanceof ApplianceError && asked.code === 'no-answer')
    return again({ code: 'no-answer', ...(await whySilent(machine, serial, work.signal)) })
  const stdout = asked instanceof ApplianceError ? '' : asked.stdout
  const ranOut = memoryRanOut(stdout, took) ?? diskRanOut(stdout, thrown.message)
  if (ranOut) return again(ranOut)
  const lacking = lackingPackage(thrown.message)
  if (!lacking) return again()
  const { specFile } = work.project
  return again({ hint: whereToAdd(lacking, await readFile(specFile, 'utf8'), basename(specFile)) })
}

type Diagnosed = Pick<Provisioning, 'guest' | 'work' | 'machine' | 'serial'>

/** The kernel's last word on memory, how long it has been running, and each file system that can be written to. */
const ASKED = `dmesg 2>/dev/null | grep -E "Out of memory: Killed|Memory cgroup out of memory: Killed" | tail -n 1
cat /proc/uptime
df -PTk $(awk '$4 ~ /^rw/ && ($1 ~ "^/dev/" && $1 !~ "^/dev/loop" || $3 == "tmpfs") { print $2 }' /proc/mounts) 2>/dev/null`

/** What became of a machine that no longer answers: by its own console, and by asking it once more. */
async function whySilent(machine: Machine, serial: string, signal: AbortSignal) {
  const console = await endOfFile(serial, 1 << 16).then(String, () => '')
  const panic = /Kernel panic - not syncing: ([^\r\n]*)/.exec(console)?.[1]
  const memory = memoryRanOut(
    console.slice(Math.max(0, console.lastIndexOf('Linux version'))),
    Number.POSITIVE_INFINITY,
  )
  if (panic && !/out of memory/i.test(panic))
    return { what: `Its kernel panicked: ${panic.trim()}`, hint: 'Its console has the rest.' }
  if (panic) return { ...memory, what: `The guest ran out of memory: ${panic.trim()}`, hint: MORE_MEMORY }
  try {
    await using guest = await machine.guest(signal, 60_000)
    const { stdout } = await guest.run('cut -d. -f1 /proc/uptime', { timeout: 30_000 })
    return {
      what: `It answers again, ${formatDuration(Number(stdout) * 1000)} after it was started`,
      hint: GONE,
    }
  } catch (error) {
    signal.throwIfAborted()
    if (memory) return memory
    const { message, cause } = error as Error
    const end = /the machine is gone: (.*)$/s.exec(message)?.[1]
    if (end === POWERED_OFF) return { what: 'It powered off', hint: GONE }
    if (end) return { what: `Its hypervisor is gone: ${end}` }
    return {
      what: `It has not answered since: ${(cause as Error | undefined)?.message ?? message}`,
      hint: GONE,
    }
  }
}

const GONE =
  'To restart the guest there is the step `reboot`. What restarts its SSH server or network should do so when the step has ended: `systemd-run --on-active=5 …`.'
const MORE_MEMORY = 'Give the machine more by basebox.memory in the spec, or its step less to do at a time.'

/** The kernel's word on a process it has killed within the last `within` ms. */
function memoryRanOut(said: string, within: number) {
  const line =
    /(?:\[ *([\d.]+)\] .*)?(?:Out of memory|Memory cgroup out of memory): Killed process \d+ \(([^)]*)\)[^\n]*/.exec(
      said,
    )
  if (!line) return undefined
  const uptime = /^([\d.]+) [\d.]+$/m.exec(said)?.[1]
  // The log's clock and the other one are not quite the same.
  if (line[1] && uptime && Number(uptime) - Number(line[1]) > within / 1000 + 1) return undefined
  const resident = /anon-rss:(\d+)kB/.exec(line[0])?.[1]
  const size = resident ? `, which had ${Math.round(Number(resident) / 1024)} MiB` : ''
  return { what: `The guest ran out of memory: its kernel killed ${line[2]}${size}`, hint: MORE_MEMORY }
}

/** A file system with nothing left, or a complaint about one that had. */
function diskRanOut(said: string, message: string) {
  const full = said
    .split('\n')
    .map((line) => /^\S+\s+(\S+)\s+(\d+)\s+\d+\s+(\d+)\s+\S+\s+(\/.*)$/.exec(line))
    .find((match) => {
      if (!match || Number(match[2]) === 0 || /^\/(tools|boot\/efi)/.test(match[4]!)) return false
      return Number(match[3]) < (match[1] === 'tmpfs' ? 4 : 1024)
    })
  if (!full && !/No space left on device|ENOSPC/.test(message)) return undefined
  const size = full && `${full[4]} has ${Math.round(Number(full[2]) / 1024)} MiB and nothing left`
  if (full?.[1] === 'tmpfs')
    return {
      what: `What the guest keeps in memory is full: ${size}`,
      hint: 'Give the machine more by basebox.memory in the spec, or let the step write to the disk (/var/tmp).',
    }
  return {
    what: `The guest's disk is full${size ? `: ${size}` : ''}`,
    hint: 'Give the machine a larger one by basebox.disk in the spec.',
  }
}

export interface Lacking {
  kind: 'deb' | 'rpm' | 'gem'
  name: string
}

/** The package that a package manager, or Chef in its words, did not find. */
export function lackingPackage(message: string): Lacking | undefined {
  const kinds: [Lacking['kind'], RegExp][] = [
    ['deb', /Unable to locate package ([\w.+:-]+)/],
    ['deb', /Package '?([\w.+:-]+?)'? has no installation candidate/],
    ['deb', /No candidate version available for ([\w.+:-]+)/],
    ['deb', /(?:Version|Release) '[^']*' for '([\w.+-]+)(?::\w+)?' was not found/],
    ['deb', /Couldn't find any package by (?:regex|glob) '([\w.+:-]+)'/],
    ['deb', /Depends: ([\w.+-]+)(?::\w+)?(?: \([^)]*\))? but it is not installable/],
    ['rpm', /No match for argument: ([\w.+:-]+)/],
    ['rpm', /No package ([\w.+:-]+) available/],
    ['rpm', /Unable to find a match: ([\w.+:-]+)/],
    ['rpm', /nothing provides ([\w.+:-]+) (?:[<>=]+ \S+ )?needed by/],
    ['gem', /Could not find a valid gem '([\w.-]+)'/],
    ['gem', /Could not find gems? (?:matching )?'([\w.-]+)/],
    // Bundler with a Gemfile.lock: name, version and perhaps platform in one word.
    ['gem', /Could not find ([\w.-]+?)-\d[\w.]*(?:-[\w.-]+)?(?:,| in | nor )/],
    ['gem', /\b([a-zA-Z][\w.-]*) (?:[<>=~!]+ [\w.]+(?:, )? ?)*could not be found in/],
    ['gem', /Unable to resolve dependency: user requested '([\w.-]+)/],
  ]
  for (const [kind, form] of kinds) {
    const name = form.exec(message)?.[1]?.replace(/[.,:]+$/, '')
    if (name) return { kind, name }
  }
  return undefined
}

/** The line of the spec that would bring it into the mirror. */
export function whereToAdd({ kind, name }: Lacking, spec: string, file: string): string {
  const yaml = parseYaml(spec, file)
  // Chef's words for a package are the same on both families.
  const has = (family: string) => listAt(yaml.value, 'mirror', family).length > 0
  const actual = kind === 'deb' && !has('deb') && has('rpm') ? 'rpm' : kind
  const sources = listAt(yaml.value, 'mirror', actual)
  const index = actual === 'gem' ? sources.findIndex((source) => textAt(source, 'for') !== 'tools') : 0
  const source = sources[index]
  if (!source)
    return `The mirror does not have ${name}: write a source for it under mirror.${actual} in ${file}.`
  const key = actual === 'gem' ? 'gems' : 'packages'
  const { line } = yaml.place(['mirror', actual, index, key])
  const what =
    actual === 'gem' && textAt(source, 'gemfile') ? `its Gemfile, ${textAt(source, 'gemfile')}` : `${key}:`
  return `The mirror does not have ${name}: add it to ${what} of ${textAt(source, 'name') ?? `mirror.${actual}`} (${file}:${line}).`
}
