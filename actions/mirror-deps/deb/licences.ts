import { lstat, mkdir, readFile, readlink, rm } from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'
import { writeJson } from '../../lib/files/atomic.ts'
import { type LockedDeb, type LockedDebRepository, NOASSERTION } from '../../lib/lock/lock.ts'
import { licenceIn } from '../../lib/mirror/deb-copyright.ts'
import { objectPath } from '../../lib/mirror/store.ts'
import { ending, launch } from '../../lib/process/command.ts'

export interface LicenceOptions {
  store: string
  /** For what is unpacked; gone afterwards. */
  directory: string
  signal: AbortSignal
}

/** What one package says: its licence, or the package whose documentation it shares (`-> gcc-12-base`). */
type Said = string

const AT_ONCE = 2
const LINK = '-> '
/** Raise it when the same file would be understood otherwise. */
const RECIPE = 2

/**
 * The licence of each package, from the copyright file in it (Debian Policy, §12.5). Reads the packages, which are in
 * the store; what was read once is remembered by digest, beside the store.
 */
export async function withLicences(
  repositories: readonly LockedDebRepository[],
  options: LicenceOptions,
): Promise<LockedDebRepository[]> {
  const packages = repositories.flatMap((repository) => repository.packages)
  const path = join(dirname(options.store), 'licences.json')
  const said = await remembered(path)
  const queue = packages.filter(({ sha256 }) => !said.has(sha256))[Symbol.iterator]()
  let news = false
  const worker = async (_: unknown, number: number) => {
    for (const one of queue) {
      options.signal.throwIfAborted()
      said.set(one.sha256, await saidBy(one, join(options.directory, String(number)), options))
      news = true
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  await rm(options.directory, { recursive: true, force: true })
  if (news) await writeJson(path, { recipe: RECIPE, said: Object.fromEntries([...said].sort()) })
  const byName = new Map(packages.map((one) => [one.name, one]))
  return repositories.map((repository) => ({
    ...repository,
    packages: repository.packages.map((one) => ({ ...one, license: followed(one, byName, said) })),
  }))
}

/** A missing or damaged memory only means more reading. */
async function remembered(path: string): Promise<Map<string, Said>> {
  try {
    const { recipe, said } = JSON.parse(await readFile(path, 'utf8')) as { recipe: number; said: object }
    return new Map(recipe === RECIPE ? Object.entries(said) : [])
  } catch {
    return new Map()
  }
}

/** Where packages share one folder of documentation, the licence is that of the package that has it. */
function followed(
  one: LockedDeb,
  byName: ReadonlyMap<string, LockedDeb>,
  said: ReadonlyMap<string, Said>,
): string {
  const passed = new Set<string>()
  for (let at: LockedDeb | undefined = one; at && !passed.has(at.name); ) {
    passed.add(at.name)
    const word: string = said.get(at.sha256) ?? NOASSERTION
    if (!word.startsWith(LINK)) return word
    at = byName.get(word.slice(LINK.length))
  }
  return NOASSERTION
}

async function saidBy(
  { name, sha256 }: LockedDeb,
  scratch: string,
  { store, signal }: LicenceOptions,
): Promise<Said> {
  await rm(scratch, { recursive: true, force: true })
  await mkdir(scratch, { recursive: true })
  const folder = `./usr/share/doc/${name}`
  await unpack(objectPath(store, sha256), scratch, [folder, `${folder}/copyright`], signal)
  for (const path of [folder, `${folder}/copyright`]) {
    const status = await lstat(join(scratch, path)).catch(() => undefined)
    if (status?.isSymbolicLink()) return linked(path.slice(1), await readlink(join(scratch, path)))
    if (status?.isFile()) return licenceIn(await readFile(join(scratch, path), 'utf8'))
  }
  return NOASSERTION
}

/** `/usr/share/doc/libgcc-s1` → `gcc-12-base`: that package's. */
function linked(from: string, to: string): Said {
  const target = posix.resolve(posix.dirname(from), to)
  const name = /^\/usr\/share\/doc\/([^/]+)(\/copyright)?$/.exec(target)?.[1]
  return name === undefined ? NOASSERTION : `${LINK}${name}`
}

/** Takes some members out of a package's file system archive; those that are not in it are passed over. */
async function unpack(
  deb: string,
  to: string,
  members: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const options = ['--extract', '--no-recursion', '--occurrence=1', '--no-same-owner', `--directory=${to}`]
  const reader = launch('dpkg-deb', ['--fsys-tarfile', deb], {}, ['ignore', 'pipe', 'ignore'])
  const taker = launch('tar', [...options, '--', ...members], {}, ['pipe', 'ignore', 'ignore'])
  const stop = () => {
    reader.kill()
    taker.kill()
  }
  signal.addEventListener('abort', stop, { once: true })
  try {
    // tar ends as soon as it has them all, and the rest is not even unpacked.
    taker.stdin!.on('error', () => reader.kill())
    reader.stdout!.pipe(taker.stdin!)
    const taken = ending(taker, 'tar').finally(() => {
      reader.kill()
      reader.stdout!.destroy()
    })
    await Promise.all([taken, ending(reader, 'dpkg-deb')])
  } finally {
    signal.removeEventListener('abort', stop)
  }
  signal.throwIfAborted()
}
