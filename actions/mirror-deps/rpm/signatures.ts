import { link, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { CommandFailed } from '../../lib/errors/error.ts'
import type { LockedRpm, LockedRpmRepository } from '../../lib/lock/lock.ts'
import { objectPath } from '../../lib/mirror/store.ts'
import { signersOf } from '../deb/signature.ts'
import type { ProgramRoot } from '../program-root.ts'
import { emptyFolder } from './dnf.ts'

/** Where the signature of a repository's index lies. */
export const SIGNATURE = 'repodata/repomd.xml.asc'

/**
 * Whether the repository's own key signed its index, where upstream signs that: what is wrong, or nothing. Not by
 * dnf, whose gpgme needs a whole /dev in the root, and which would not know that a key was good when it signed.
 */
export async function forgedIndex(
  { name, evidence }: Pick<LockedRpmRepository, 'name' | 'evidence'>,
  root: ProgramRoot,
  { store, signal }: { store: string; signal: AbortSignal },
): Promise<string[]> {
  const object = (wanted: (path: string) => boolean) => {
    const found = evidence.find(({ path }) => wanted(path))
    return found && objectPath(store, found.sha256)
  }
  const signature = object((path) => path === SIGNATURE)
  const of = object((path) => path === SIGNATURE.replace(/\.asc$/, ''))
  const keyring = object((path) => path.startsWith('keys/'))
  if (!signature || !of || !keyring) return []
  const scratch = await emptyFolder(root, 'index-signature')
  const { good, said } = await signersOf({ signature, of, keyring, scratch, signal })
  await rm(scratch, { recursive: true, force: true })
  return good ? [] : [`rpm ${name}: its index repodata/repomd.xml is not rightly signed: ${said.join(', ')}`]
}

/** A database of its own, so that only the key imported there counts; its path has to be whole. */
const KEYS = ['--define', '_dbpath %{getenv:HOME}/signatures/keys']

/** As many names as fit well into a command line. */
const AT_ONCE = 200

/**
 * Checks each package's own signature and digests by rpm, with only the key of its repository. Returns what is
 * wrong, a line each, which names the package and the key.
 *
 * @see rpmkeys(8), --checksig; _pkgverify_level of rpm's macros: both a signature and a digest are demanded
 */
export async function unsignedPackages(
  { name, evidence, packages }: Pick<LockedRpmRepository, 'name' | 'evidence' | 'packages'>,
  root: ProgramRoot,
  { store, signal }: { store: string; signal: AbortSignal },
): Promise<string[]> {
  if (packages.length === 0) return []
  const key = evidence.find(({ path }) => path.startsWith('keys/'))
  if (!key) return [`rpm ${name}: the lock has no key for it`]
  const folder = await emptyFolder(root, 'signatures')
  await link(objectPath(store, key.sha256), join(folder, 'key'))
  const running = { folder: 'signatures', signal, allowFailure: true }
  const imported = await root.run(['rpmkeys', ...KEYS, '--import', 'key'], running)
  if (imported.status !== 0)
    return [`rpm ${name}: ${key.path} is no key that rpm can use: ${lastLine(imported.stderr)}`]
  const byFile = new Map<string, LockedRpm>()
  for (const one of packages) {
    const file = `${one.sha256}.rpm`
    if (!byFile.has(file)) await link(objectPath(store, one.sha256), join(folder, file))
    byFile.set(file, one)
  }
  const faults: string[] = []
  const files = [...byFile.keys()]
  for (let from = 0; from < files.length; from += AT_ONCE) {
    const some = files.slice(from, from + AT_ONCE)
    const check = [...KEYS, '--define', '_pkgverify_level all', '--checksig', '--verbose', ...some]
    const { stdout, stderr, status } = await root.run(['rpmkeys', ...check], running)
    const found = faultsIn(stdout, byFile, some, basename(key.path))
    if (status !== 0 && found.length === 0) throw new CommandFailed('rpmkeys', ['--checksig'], status, stderr)
    faults.push(...found.map((line) => `rpm ${name}: ${line}`))
  }
  await rm(folder, { recursive: true, force: true })
  return faults
}

/** What `rpmkeys --checksig --verbose` says: the file's name, then a line for each digest and signature. */
function faultsIn(
  said: string,
  packages: ReadonlyMap<string, LockedRpm>,
  files: readonly string[],
  key: string,
): string[] {
  const results = new Map<string, string[]>()
  let current: string[] = []
  for (const line of said.split('\n')) {
    const file = /^(\S+\.rpm):/.exec(line)?.[1]
    if (file) {
      current = []
      results.set(file, current)
    } else if (line.trim()) current.push(line.trim())
  }
  return files.flatMap((file) => {
    const { name, version, arch } = packages.get(file)!
    const fault = faultIn(results.get(file) ?? [], key)
    return fault ? [`${name} ${version} ${arch} ${fault}`] : []
  })
}

/** The kinds of signature that a package might have and has not are `NOTFOUND`: they tell nothing. */
function faultIn(results: readonly string[], key: string): string | undefined {
  const is = (line: string) => /\bsignature\b/i.test(line)
  const bad = results.filter((line) => !/: (OK|NOTFOUND)$/.test(line))
  const unknown = bad.filter((line) => line.endsWith(': NOKEY'))
  if (bad.some((line) => !is(line))) return `is damaged: ${bad.join(', ')}`
  if (unknown.length > 0) return `is signed by another key than ${key}: ${unknown.join(', ')}`
  if (bad.length > 0) return `is not rightly signed by ${key}: ${bad.join(', ')}`
  return results.some((line) => is(line) && line.endsWith(': OK'))
    ? undefined
    : `is not signed; ${key} is to sign it`
}

/** What a package says of itself, in its signed header. */
export interface RpmHeader {
  name: string
  /** `EPOCH:VERSION-RELEASE`; the epoch only where it is not 0. */
  version: string
  arch: string
  license: string
}

const QUERY = '%{NAME}\\n%{EPOCHNUM}:%{VERSION}-%{RELEASE}\\n%{ARCH}\\n%{LICENSE}\\n'

/** Digest of a package → its header. The packages are in the store, and their signatures are checked. */
export async function headersOf(
  packages: readonly LockedRpm[],
  root: ProgramRoot,
  { store, signal }: { store: string; signal: AbortSignal },
): Promise<Map<string, RpmHeader>> {
  const headers = new Map<string, RpmHeader>()
  const folder = await emptyFolder(root, 'headers')
  const digests = [...new Set(packages.map(({ sha256 }) => sha256))]
  for (const sha256 of digests) await link(objectPath(store, sha256), join(folder, `${sha256}.rpm`))
  for (let from = 0; from < digests.length; from += AT_ONCE) {
    const some = digests.slice(from, from + AT_ONCE)
    const files = some.map((sha256) => `${sha256}.rpm`)
    const query = ['--query', '--nosignature', '--nodigest', '--queryformat', QUERY, '--package']
    const { stdout } = await root.run(['rpm', ...KEYS, ...query, ...files], { folder: 'headers', signal })
    const lines = stdout.split('\n')
    for (const [index, sha256] of some.entries()) {
      const [name, version, arch, license] = lines.slice(index * 4, index * 4 + 4) as string[]
      headers.set(sha256, {
        name: name!,
        version: version!.replace(/^0:/, ''),
        arch: arch!,
        license: license!,
      })
    }
  }
  await rm(folder, { recursive: true, force: true })
  return headers
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? ''
}
