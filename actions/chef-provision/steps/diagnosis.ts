import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { ApplianceError } from '../../lib/errors/error.ts'
import { parseYaml } from '../../lib/spec/positions.ts'
import { listAt, textAt } from '../../lib/spec/raw.ts'
import type { Provisioning } from '../provisioning.ts'

/**
 * A failed step's error with what is behind it, where the guest can still tell: memory or disk that ran out, or a
 * package that the mirror does not have.
 */
export async function diagnosed(
  thrown: unknown,
  { guest, work, machine }: Pick<Provisioning, 'guest' | 'work' | 'machine'>,
): Promise<unknown> {
  if (!(thrown instanceof ApplianceError)) return thrown
  const evidence = [...new Set([...thrown.evidence, ...machine.evidence])]
  const details = { evidence, cause: thrown, ...(thrown.hint ? { hint: thrown.hint } : {}) }
  if (thrown.code === 'no-answer' || thrown.code === 'input')
    return new ApplianceError(thrown.code, thrown.message, details)
  const { stdout } = await guest
    .run(
      'dmesg 2>/dev/null | grep -E "Out of memory: Killed|oom-kill:|Memory cgroup out of memory" | tail -n 1; echo; df -Pk 2>/dev/null',
      { allowFailure: true, timeout: 30_000 },
    )
    .catch(() => ({ stdout: '' }))
  const ranOut = memoryRanOut(stdout) ?? diskRanOut(stdout, thrown.message)
  if (ranOut)
    return new ApplianceError(thrown.code, `${thrown.message}. ${ranOut.what}`, {
      ...details,
      hint: ranOut.hint,
    })
  const lacking = lackingPackage(thrown.message)
  if (!lacking) return new ApplianceError(thrown.code, thrown.message, details)
  const { specFile } = work.project
  const hint = whereToAdd(lacking, await readFile(specFile, 'utf8'), basename(specFile))
  return new ApplianceError(thrown.code, thrown.message, { ...details, hint })
}

/** The kernel's word on a process it has killed. */
function memoryRanOut(said: string) {
  const line = /(?:Out of memory|Memory cgroup out of memory): Killed process \d+ \(([^)]*)\)[^\n]*/.exec(
    said,
  )
  if (!line) return undefined
  const resident = /anon-rss:(\d+)kB/.exec(line[0])?.[1]
  const size = resident ? `, which had ${Math.round(Number(resident) / 1024)} MiB` : ''
  return {
    what: `The guest ran out of memory: its kernel killed ${line[1]}${size}`,
    hint: 'Give the machine more by basebox.memory in the spec, or its step less to do at a time.',
  }
}

/** A file system with nothing left, or a complaint about one that had. */
function diskRanOut(said: string, message: string) {
  const full = said
    .split('\n')
    .map((line) => /^\/dev\/\S+\s+(\d+)\s+\d+\s+(\d+)\s+\S+\s+(\/.*)$/.exec(line))
    .find(
      (match) =>
        match && Number(match[1]) > 0 && Number(match[2]) < 1024 && !/^\/(tools|boot\/efi)/.test(match[3]!),
    )
  if (!full && !/No space left on device|ENOSPC/.test(message)) return undefined
  const where = full ? `: ${full[3]} has ${Math.round(Number(full[1]) / 1024)} MiB and nothing left` : ''
  return {
    what: `The guest's disk is full${where}`,
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
    ['rpm', /No match for argument: ([\w.+:-]+)/],
    ['rpm', /No package ([\w.+:-]+) available/],
    ['rpm', /Unable to find a match: ([\w.+:-]+)/],
    ['gem', /Could not find a valid gem '([\w.-]+)'/],
    ['gem', /Could not find gem '([\w.-]+)/],
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
  const actual = kind === 'deb' && listAt(yaml.value, 'mirror', 'deb').length === 0 ? 'rpm' : kind
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
