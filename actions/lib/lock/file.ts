import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { ApplianceError } from '../errors/error.ts'
import { writeJson } from '../files/atomic.ts'
import { sha256 } from '../files/digest.ts'
import { baseboxPackages, compilerPackages, toolsPackages } from '../mirror/packages.ts'
import type { Spec } from '../spec/spec.ts'
import type { Lock, LockedDebRepository, LockedGemSource } from './lock.ts'

const digest = z.string().regex(/^[0-9a-f]{64}$/)
const artefact = { sha256: digest, size: z.int().min(0) }
/** Names that become paths: nothing that could lead out of the store or the tree. */
const word = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.+~_:-]*$/)
const relativePath = z.string().regex(/^(?!.*(^|\/)\.\.(\/|$))[^/].*$/)

const debRepository = z.strictObject({
  name: word,
  uri: z.string(),
  suites: z.array(z.string()),
  components: z.array(z.string()),
  snapshot: z.string().optional(),
  timestamp: z.string(),
  evidence: z.array(z.strictObject({ path: relativePath, ...artefact })),
  packages: z.array(
    z.strictObject({ name: word, version: z.string(), arch: word, path: relativePath, ...artefact }),
  ),
})

const gemSource = z.strictObject({
  name: word,
  source: z.string(),
  for: z.enum(['guest', 'host', 'tools']),
  gems: z.array(z.strictObject({ name: word, version: word, platform: word, ...artefact })),
})

const lockSchema = z.strictObject({
  schema: z.literal(1),
  arch: z.literal('amd64'),
  for: digest,
  deb: z.array(debRepository),
  gem: z.array(gemSource),
  git: z.array(
    z.strictObject({
      name: word,
      url: z.string(),
      ref: z.string(),
      commit: z.string().regex(/^[0-9a-f]{40}$/),
      objects: digest,
    }),
  ),
  file: z.array(z.strictObject({ name: word, url: z.string(), mirrors: z.array(z.string()), ...artefact })),
  tools: z.strictObject({ deb: z.array(debRepository), gem: z.array(gemSource) }),
})

/** The lock, or undefined when there is none. A damaged one is an `input` error that says where. */
export async function readLock(path: string): Promise<Lock | undefined> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw damaged(path, (error as Error).message)
  }
  const parsed = lockSchema.safeParse(value)
  if (parsed.success) return parsed.data as Lock
  const issue = parsed.error.issues[0]!
  throw damaged(path, `${issue.path.join('.')}: ${issue.message}`)
}

function damaged(path: string, why: string): ApplianceError {
  return new ApplianceError('input', `${path} is damaged: ${why}`, {
    hint: 'Take it back from version control, or make it anew with `appliance lock --update`.',
  })
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
 * Digest of all that the lock answers: the mirror section, the basebox's packages, the tools (what this version
 * of ours needs of them, too), and the Gemfiles with their locks by content. Where the project lies on this computer makes no difference.
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
  const old = before ? versions(before) : new Map<string, string>()
  const now = versions(after)
  const lines: string[] = []
  for (const [name, version] of now) {
    const was = old.get(name)
    if (was === undefined) lines.push(`added ${name} ${version}`)
    else if (was !== version) lines.push(`${name} ${was} → ${version}`)
  }
  for (const [name, version] of old) if (!now.has(name)) lines.push(`removed ${name} ${version}`)
  return lines
}

function versions(lock: Lock): Map<string, string> {
  const found = new Map<string, string>()
  const debs = (repositories: LockedDebRepository[], of: string) => {
    for (const { packages } of repositories)
      for (const { name, version } of packages) found.set(`${of}deb ${name}`, version)
  }
  const gems = (sources: LockedGemSource[], of: string) => {
    for (const source of sources)
      for (const { name, version } of source.gems) found.set(`${of}gem ${name}`, version)
  }
  debs(lock.deb, '')
  gems(lock.gem, '')
  for (const { name, ref, commit } of lock.git) found.set(`git ${name}`, `${ref} (${commit.slice(0, 12)})`)
  for (const { name, sha256: bytes } of lock.file) found.set(`file ${name}`, bytes.slice(0, 12))
  debs(lock.tools.deb, 'tools ')
  gems(lock.tools.gem, 'tools ')
  return found
}
