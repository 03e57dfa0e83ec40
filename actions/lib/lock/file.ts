import { readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import { ApplianceError } from '../errors/error.ts'
import { type Fault, InputError } from '../errors/fault.ts'
import { writeJson } from '../files/atomic.ts'
import { sha256 } from '../files/digest.ts'
import { baseboxPackages, compilerPackages, toolsPackages } from '../mirror/packages.ts'
import { faultsOf, inOrder, parseYaml } from '../spec/positions.ts'
import { valueAt } from '../spec/raw.ts'
import { count, list, matching, oneOf, section } from '../spec/section.ts'
import type { Spec } from '../spec/spec.ts'
import type { Lock, LockedDebRepository, LockedGemSource } from './lock.ts'

const digest = matching(/^[0-9a-f]{64}$/, 'a SHA-256: 64 digits of 0-9 and a-f')
const artefact = { sha256: digest, size: count(0) }
/** Names that become paths: nothing that could lead out of the store or the tree. */
const word = matching(/^[A-Za-z0-9][A-Za-z0-9.+~_:-]*$/, 'a name or version')
const relativePath = matching(/^(?!.*(^|\/)\.\.(\/|$))[^/].*$/, 'a path inside the repository')

const debRepository = section({
  name: word,
  uri: z.string(),
  suites: list(z.string()),
  components: list(z.string()),
  snapshot: z.string().optional(),
  timestamp: z.string(),
  evidence: list(section({ path: relativePath, ...artefact })),
  packages: list(section({ name: word, version: z.string(), arch: word, path: relativePath, ...artefact })),
})

const gemSource = section({
  name: word,
  source: z.string(),
  for: oneOf(['guest', 'host', 'tools']),
  gems: list(section({ name: word, version: word, platform: word, ...artefact })),
})

const lockSchema = section({
  schema: z.literal(1),
  arch: z.literal('amd64'),
  for: digest,
  deb: list(debRepository),
  gem: list(gemSource),
  git: list(
    section({
      name: word,
      url: z.string(),
      ref: z.string(),
      commit: matching(/^[0-9a-f]{40}$/, 'a commit: 40 digits of 0-9 and a-f'),
      objects: digest,
    }),
  ),
  file: list(section({ name: word, url: z.string(), mirrors: list(z.string()), ...artefact })),
  tools: section({ deb: list(debRepository), gem: list(gemSource) }),
})

const hint = 'Take it back from version control, or make it anew with `appliance lock --update`.'

/**
 * The lock, or undefined when there is none.
 *
 * @throws InputError with all that is wrong in a damaged one, each with its place; ApplianceError `input` for one of
 *   a newer schema
 */
export async function readLock(path: string): Promise<Lock | undefined> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return undefined
  const file = basename(path)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new InputError([notJson(text, file, error as Error)], { hint })
  }
  const newer = valueAt(value, 'schema')
  if (typeof newer === 'number' && newer > 1)
    throw new ApplianceError('input', `${file} is of schema ${newer}; this appliance knows schema 1 only`, {
      hint: 'Use the version of appliance that wrote it, or a later one.',
    })
  const parsed = lockSchema.safeParse(value)
  if (parsed.success) return parsed.data as Lock
  // Every JSON text is YAML, whose parser knows the places.
  throw new InputError(inOrder(faultsOf(parsed.error, parseYaml(text, file))), { hint })
}

/** Most often somebody's merge. */
function notJson(text: string, file: string, error: Error): Fault {
  const conflict = text.split('\n').findIndex((line) => /^(<{7}|={7}|>{7})( |$)/.test(line))
  if (conflict >= 0) return { file, line: conflict + 1, column: 1, message: 'a merge conflict begins here' }
  return { file, message: `is no JSON: ${error.message.replace(/\s*\n\s*/g, ' ')}` }
}

/** Writes the lock: everything sorted, so that a diff shows what changed and nothing else. */
export async function writeLock(path: string, lock: Lock): Promise<void> {
  await writeJson(path, sorted(lock))
}

function sorted(lock: Lock): Lock {
  const by =
    <T>(key: (item: T) => string) =>
    (a: T, b: T) =>
      key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0
  const debs = (repositories: LockedDebRepository[]) =>
    repositories.map((repository) => ({
      ...repository,
      evidence: [...repository.evidence].sort(by(({ path }) => path)),
      packages: [...repository.packages].sort(by(({ name, arch, version }) => `${name} ${arch} ${version}`)),
    }))
  const gems = (sources: LockedGemSource[]) =>
    sources.map((source) => ({
      ...source,
      gems: [...source.gems].sort(by(({ name, version, platform }) => `${name} ${version} ${platform}`)),
    }))
  return {
    ...lock,
    deb: debs(lock.deb),
    gem: gems(lock.gem),
    tools: { deb: debs(lock.tools.deb), gem: gems(lock.tools.gem) },
  }
}

/**
 * Digest of all that the lock answers: the mirror section, the basebox's packages, the tools (what this version of
 * ours needs of them, too), and the Gemfiles with their locks by content. Where the project lies on this computer
 * makes no difference.
 */
export async function lockKey(spec: Spec): Promise<string> {
  const gemfiles = await Promise.all(
    spec.mirror.gem.map(async ({ gemfile }) =>
      gemfile ? [await textOf(gemfile), await textOf(join(dirname(gemfile), 'Gemfile.lock'))] : [],
    ),
  )
  const gem = spec.mirror.gem.map(({ gemfile, ...rest }) => rest)
  const git = spec.mirror.git.map(({ path, ...rest }) => rest)
  const deb = spec.mirror.deb.map(({ signedBy, ...rest }) => rest)
  const { signedBy, ...tools } = spec.tools
  const ours = [baseboxPackages, toolsPackages, compilerPackages]
  return sha256(
    JSON.stringify([deb, gem, git, spec.mirror.file, tools, spec.basebox.bootstrap ?? null, gemfiles, ours]),
  )
}

async function textOf(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch(() => '')
}

/** What differs between two locks, a line each, for a person. */
export function describeLockChanges(before: Lock | undefined, after: Lock): string[] {
  const old = before ? contents(before) : new Map<string, Entry[]>()
  const now = contents(after)
  const lines: string[] = []
  for (const [name, entries] of now) {
    const was = old.get(name)
    if (!was) lines.push(`added ${name} ${versions(entries)}`)
    else if (versions(was) !== versions(entries))
      lines.push(`${name} ${versions(was)} → ${versions(entries)}`)
    else if (bytes(was) !== bytes(entries))
      lines.push(`${name} ${versions(entries)}: other bytes, same version`)
  }
  for (const [name, entries] of old) if (!now.has(name)) lines.push(`removed ${name} ${versions(entries)}`)
  return lines
}

interface Entry {
  version: string
  sha256: string
}

/** A name may have several: a package in two repositories, a gem for two platforms. */
function versions(entries: readonly Entry[]): string {
  return [...new Set(entries.map(({ version }) => version))].sort().join(', ')
}

function bytes(entries: readonly Entry[]): string {
  return entries
    .map(({ sha256 }) => sha256)
    .sort()
    .join()
}

function contents(lock: Lock): Map<string, Entry[]> {
  const found = new Map<string, Entry[]>()
  const add = (name: string, { version, sha256 }: Entry) =>
    found.set(name, [...(found.get(name) ?? []), { version, sha256 }])
  const debs = (repositories: LockedDebRepository[], of: string) => {
    for (const deb of repositories.flatMap(({ packages }) => packages)) add(`${of}deb ${deb.name}`, deb)
  }
  const gems = (sources: LockedGemSource[], of: string) => {
    for (const gem of sources.flatMap((source) => source.gems)) add(`${of}gem ${gem.name}`, gem)
  }
  debs(lock.deb, '')
  gems(lock.gem, '')
  for (const { name, ref, commit, objects } of lock.git)
    add(`git ${name}`, { version: `${ref} (${commit.slice(0, 12)})`, sha256: objects })
  for (const { name, sha256 } of lock.file) add(`file ${name}`, { version: sha256.slice(0, 12), sha256 })
  debs(lock.tools.deb, 'tools ')
  gems(lock.tools.gem, 'tools ')
  return found
}
