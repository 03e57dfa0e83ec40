import { ApplianceError } from '../../lib/errors/error.ts'
import type { LockedSubmodule } from '../../lib/lock/lock.ts'
import { resolveAddress } from '../../lib/lock/repositories.ts'
import { refuseLargeFiles } from './large-files.ts'
import { keepObjects } from './objects.ts'
import type { Repository } from './repository.ts'
import { Upstream } from './upstream.ts'

/** A submodule as a commit names it. */
export interface NamedSubmodule {
  path: string
  /** As .gitmodules has it: an address, or relative to its repository's. */
  url: string
  commit: string
}

/** Deeper than anybody nests them on purpose. */
const DEEPEST = 8

/** Whose submodules are locked. */
interface Owner {
  name: string
  /** Its address as the lock has it, to which relative ones belong. */
  url: string
  /** Where it is on this computer or in the network. */
  from: string
  commit: string
  /** Where it lies in the outermost one's work tree; undefined: it is that. */
  path?: string
  depth?: number
}

/** Locks the submodules of a commit, and theirs. */
export async function lockSubmodules(
  repository: Repository,
  at: Owner,
  options: { store: string; work: string; signal: AbortSignal },
): Promise<LockedSubmodule[]> {
  const { depth = 0 } = at
  if (depth > DEEPEST)
    throw new ApplianceError('input', `git ${at.name}: its submodules are nested more than ${DEEPEST} deep`)
  const locked: LockedSubmodule[] = []
  for (const { path, url, commit } of await submodulesOf(repository, at.commit, at.name)) {
    const whole = at.path === undefined ? path : `${at.path}/${path}`
    const name = `${at.name}.${path.replace(/[^A-Za-z0-9.+~_-]+/g, '.')}`
    const [address, from] = [resolveAddress(at.url, url), resolveAddress(at.from, url)]
    const upstream = await Upstream.open(name, from, options.work, options.signal)
    if (!(await upstream.fetchCommit(commit)))
      throw new ApplianceError(
        'gone',
        `git ${at.name}: its submodule ${whole} wants commit ${commit}, which ${address} does not have`,
        { hint: 'Its owners rewrote it: take a ref whose submodules are all there.' },
      )
    await refuseLargeFiles(upstream.here, commit, name)
    const kept = await keepObjects(upstream.here, commit, options)
    locked.push({ name, path: whole, url: address, commit, ...kept })
    const inner = { name, url: address, from, commit, path: whole, depth: depth + 1 }
    locked.push(...(await lockSubmodules(upstream.here, inner, options)))
  }
  return locked
}

/** The submodules that a commit's tree and its .gitmodules name. @see gitmodules(5) */
export async function submodulesOf(
  repository: Repository,
  commit: string,
  name: string,
): Promise<NamedSubmodule[]> {
  const tree = await repository.git(['ls-tree', '-r', '-z', '--full-tree', commit])
  const links = tree.split('\0').flatMap((line) => {
    const match = /^160000 commit ([0-9a-f]{40})\t(.+)$/s.exec(line)
    return match ? [{ commit: match[1]!, path: match[2]! }] : []
  })
  if (links.length === 0) return []
  const settings = await repository.tried(['config', '--blob', `${commit}:.gitmodules`, '-z', '--list'])
  const modules = new Map<string, { path?: string; url?: string }>()
  for (const entry of (settings ?? '').split('\0')) {
    const match = /^submodule\.(.+)\.(path|url)\n(.*)$/s.exec(entry)
    if (match) modules.set(match[1]!, { ...modules.get(match[1]!), [match[2]!]: match[3]! })
  }
  const urls = new Map([...modules.values()].map(({ path, url }) => [path, url]))
  return links.map(({ path, commit: id }) => {
    const url = urls.get(path)
    if (url === undefined)
      throw new ApplianceError(
        'input',
        `git ${name}: .gitmodules gives no address for the submodule ${path}`,
        {
          hint: 'The repository itself is at fault: take a ref where `git clone --recursive` works.',
        },
      )
    return { path, url, commit: id }
  })
}
