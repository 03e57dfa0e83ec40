import { link, mkdir, rm, stat } from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'
import { sha256File } from '../../lib/files/digest.ts'
import type { Evidence, LockedDebRepository } from '../../lib/lock/lock.ts'
import { objectPath } from '../../lib/mirror/store.ts'
import { isFlat, releaseFolder } from './apt.ts'
import { isKey, promisesIn } from './evidence.ts'
import { readIndex } from './packages-index.ts'
import { verdictOn } from './signature.ts'

export interface ChainOptions {
  store: string
  /** A folder of this proof alone; the evidence stays in it, as upstream lays it out, under `repository/`. */
  directory: string
  /** Where the kept keys are gone: those the spec names today. */
  keyring: string
  signal: AbortSignal
}

export interface Chain {
  /** The evidence as upstream lays it out. */
  repository: string
  /** What is wrong, a line each, without the source's name. */
  faults: string[]
  /** Paths of evidence that is not in the store. */
  missing: string[]
  /** What a person should know although it is proved. */
  notes: string[]
}

/** Proves signature → index, from the evidence alone: each kept index is one that a good signature vouches for. */
export async function proveIndexes(repository: LockedDebRepository, options: ChainOptions): Promise<Chain> {
  const chain: Chain = {
    repository: join(options.directory, 'repository'),
    faults: [],
    missing: [],
    notes: [],
  }
  await rm(options.directory, { recursive: true, force: true })
  await mkdir(chain.repository, { recursive: true })
  for (const one of repository.evidence) await layOut(one, chain, options)
  const lies = ({ path }: Evidence) => !chain.missing.includes(path)
  const kept = repository.evidence.find(({ path }) => isKey(path))
  if (!kept || !lies(kept)) chain.notes.push(`the keys are those of ${options.keyring}: none were kept`)
  const keyring = kept && lies(kept) ? join(chain.repository, kept.path) : options.keyring
  const indexes = repository.evidence.filter(({ path }) => /(^|\/)Packages(\.\w+)?$/.test(path)).filter(lies)
  for (const suite of repository.suites) {
    const folder = posix.normalize(releaseFolder(suite))
    const text = await signedText(folder, keyring, repository, chain, options)
    if (text === undefined) continue
    const promised = promisesIn(text)
    for (const { path, sha256, size } of indexes.filter((one) => isIn(one.path, folder, suite))) {
      const promise = promised.get(posix.relative(folder, path))
      if (!promise) chain.faults.push(`${path} is not among what ${folder}’s signature vouches for`)
      else if (promise.sha256 !== sha256 || promise.size !== size)
        chain.faults.push(
          `${path} is not the index that was signed: ${promise.sha256} is, locked is ${sha256}`,
        )
    }
  }
  return chain
}

/** Proves index → package: each locked package is in an index, with these very bytes. */
export async function provePackages(
  repository: LockedDebRepository,
  chain: Chain,
  signal: AbortSignal,
): Promise<string[]> {
  const wanted = new Map(repository.packages.map((one) => [one.sha256, one]))
  const faults: string[] = []
  for (const { path } of repository.evidence) {
    if (!/(^|\/)Packages(\.\w+)?$/.test(path) || chain.missing.includes(path)) continue
    await readIndex(
      join(chain.repository, path),
      (sha256) => wanted.has(sha256),
      (stanza) => {
        const deb = wanted.get(stanza.SHA256 ?? '')
        if (!deb) return
        wanted.delete(deb.sha256)
        const said = [stanza.Package, stanza.Version, stanza.Architecture, stanza.Size].join(' ')
        const locked = [deb.name, deb.version, deb.arch, deb.size].join(' ')
        if (said !== locked) faults.push(`the lock calls ${locked} what the signed index calls ${said}`)
      },
      signal,
    )
  }
  const lost = chain.missing.some((path) => !isKey(path))
  if (!lost)
    for (const { name, version, sha256 } of wanted.values())
      faults.push(`${name} ${version} (sha256 ${sha256.slice(0, 12)}…) is in no signed index`)
  return faults
}

/** By hard link where that works; nothing there is written to. */
async function layOut(one: Evidence, chain: Chain, { store, signal }: ChainOptions): Promise<void> {
  const from = objectPath(store, one.sha256)
  const there = await stat(from).catch(() => undefined)
  if (!there) {
    chain.missing.push(one.path)
    return
  }
  if (there.size !== one.size || (await sha256File(from, signal)) !== one.sha256)
    chain.faults.push(`${one.path} is damaged: its bytes are not those of the lock`)
  const to = join(chain.repository, one.path)
  await mkdir(dirname(to), { recursive: true })
  await link(from, to)
}

/** What is signed of a suite; undefined, with the reason among the faults, when nothing is. */
async function signedText(
  folder: string,
  keyring: string,
  { evidence }: LockedDebRepository,
  chain: Chain,
  { directory, signal }: ChainOptions,
): Promise<string | undefined> {
  const path = (name: string) => posix.join(folder, name)
  const has = (name: string) => evidence.some((one) => one.path === path(name))
  const lacks = ['InRelease', 'Release', 'Release.gpg'].filter(
    (name) => has(name) && chain.missing.includes(path(name)),
  )
  if (lacks.length > 0) return undefined
  const detached = !has('InRelease')
  if (detached && !(has('Release') && has('Release.gpg'))) {
    chain.missing.push(path('InRelease'))
    return undefined
  }
  const { text, said } = await verdictOn({
    signature: join(chain.repository, path(detached ? 'Release.gpg' : 'InRelease')),
    ...(detached ? { of: join(chain.repository, path('Release')) } : {}),
    keyring,
    scratch: directory,
    signal,
  })
  const name = path(detached ? 'Release' : 'InRelease')
  if (text === undefined) chain.faults.push(`${name}: ${said.join('; ')}`)
  else chain.notes.push(...said.map((note) => `${name}: ${note}`))
  return text
}

function isIn(path: string, folder: string, suite: string): boolean {
  return isFlat(suite)
    ? posix.dirname(path) === posix.normalize(folder).replace(/\/$/, '')
    : path.startsWith(folder)
}
