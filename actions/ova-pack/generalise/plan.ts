import { expandBraces, Pattern } from '../../lib/disk/pattern.ts'
import type { Change, Entry, RootFileSystem, Tree } from '../../lib/disk/root-file-system.ts'
import type { Operation, Rule } from './operation.ts'

/** What an operation finds to change. */
export interface Plan {
  operation: Operation
  changes: Change[]
}

/** A text file larger than this is no settings file. Bytes. */
const LARGEST_TEXT = 1 << 20

/**
 * Compares the disk with what the operations want and says what to change, in order. Planning again after the
 * changes is the proof: whatever still has something to change does not hold.
 */
export async function plan(operations: readonly Operation[], root: RootFileSystem): Promise<Plan[]> {
  const homes = await homeFolders(root)
  const sought = operations.flatMap(({ rules }) => rules.flatMap((rule) => soughtPaths(rule, homes)))
  const tree = await root.tree(sought.map((path) => new Pattern(path)))
  const planner = new Planner(root, tree, homes)
  const plans: Plan[] = []
  for (const operation of operations) {
    const changes: Change[] = []
    for (const rule of operation.rules) changes.push(...(await planner.changes(rule)))
    plans.push({ operation, changes })
  }
  return plans
}

/** Where users live, from passwd(5); system accounts whose "home" is a system folder do not count. */
async function homeFolders(root: RootFileSystem): Promise<string[]> {
  const passwd = (await root.read(['/etc/passwd'])).get('/etc/passwd')?.toString() ?? ''
  const homes = passwd.split('\n').map((line) => line.split(':')[5] ?? '')
  const real = homes.filter((home) => /^\/(root|home|srv|opt|var)(\/|$)/.test(home) && home !== '/var')
  return [...new Set(['/root', ...real.map((home) => home.replace(/\/+$/, ''))])]
}

function spread(pattern: string, homes: readonly string[]): string[] {
  return expandBraces(pattern).flatMap((path) =>
    path.startsWith('~/') ? homes.map((home) => home + path.slice(1)) : [path],
  )
}

function soughtPaths(rule: Rule, homes: readonly string[]): string[] {
  if (rule.kind === 'write' || rule.kind === 'link')
    return [rule.path, ...(rule.where ? expandBraces(rule.where) : [])]
  return spread(rule.pattern, homes)
}

class Planner {
  readonly #root: RootFileSystem
  readonly #tree: Tree
  readonly #homes: readonly string[]
  /** Paths that an earlier rule removes, replaces or empties. */
  readonly #settled = new Set<string>()
  /** What an earlier rule made of a file's text. */
  readonly #edited = new Map<string, string>()
  /** Folders that an earlier rule makes. */
  readonly #made = new Set<string>()

  constructor(root: RootFileSystem, tree: Tree, homes: readonly string[]) {
    this.#root = root
    this.#tree = tree
    this.#homes = homes
  }

  async changes(rule: Rule): Promise<Change[]> {
    switch (rule.kind) {
      case 'remove':
        return this.#removals(await this.#containing(this.#matching(rule.pattern), rule.containing))
      case 'unlink':
        return this.#removals(await this.#pointing(this.#matching(rule.pattern), rule.to))
      case 'empty':
        return this.#matching(rule.pattern)
          .filter((entry) => entry.kind === 'file' && entry.size > 0)
          .map((entry) => this.#settle({ kind: 'empty', entry }, entry.path))
      case 'write':
        return this.#write(rule)
      case 'link':
        return this.#link(rule)
      case 'edit':
        return this.#edit(rule)
    }
  }

  #settle(change: Change, path: string): Change {
    this.#settled.add(path)
    return change
  }

  /** Whether anything on the disk matches, whatever earlier rules make of it. */
  #has(where: string): boolean {
    if (this.#tree.has(where)) return true
    const patterns = expandBraces(where).map((text) => new Pattern(text))
    return [...this.#tree.keys()].some((path) => patterns.some((pattern) => pattern.matches(path)))
  }

  #matching(pattern: string): Entry[] {
    const patterns = spread(pattern, this.#homes).map((text) => new Pattern(text))
    return [...this.#tree.values()].filter(
      ({ path }) => !this.#settled.has(path) && patterns.some((candidate) => candidate.matches(path)),
    )
  }

  async #removals(entries: readonly Entry[]): Promise<Change[]> {
    const changes: Change[] = []
    for (const entry of entries) {
      const inside = entry.kind === 'folder' ? await this.#root.below(entry.path) : []
      for (const doomed of [...inside, entry])
        if (!this.#settled.has(doomed.path))
          changes.push(this.#settle({ kind: 'remove', entry: doomed }, doomed.path))
    }
    return changes
  }

  async #containing(entries: Entry[], text: RegExp | undefined): Promise<Entry[]> {
    if (!text) return entries
    const contents = await this.#texts(entries)
    return entries.filter(({ path }) => text.test(contents.get(path) ?? ''))
  }

  async #pointing(entries: Entry[], to: RegExp): Promise<Entry[]> {
    const targets = await this.#root.linkTargets(entries.filter(({ kind }) => kind === 'link'))
    return entries.filter(({ path }) => to.test(targets.get(path) ?? ''))
  }

  /** Latin 1 keeps every byte as it is, whatever the file's encoding. */
  async #texts(entries: readonly Entry[]): Promise<Map<string, string>> {
    const files = entries.filter(({ kind, size }) => kind === 'file' && size <= LARGEST_TEXT)
    const contents = await this.#root.read(files.map(({ path }) => path))
    return new Map([...contents].map(([path, content]) => [path, content.toString('latin1')]))
  }

  async #write(rule: Rule & { kind: 'write' }): Promise<Change[]> {
    if (rule.where && !this.#has(rule.where)) return []
    const over = this.#settled.has(rule.path) ? undefined : this.#tree.get(rule.path)
    const content = Buffer.from(rule.content)
    if (
      over &&
      (rule.unlessThere || (await this.#texts([over])).get(rule.path) === content.toString('latin1'))
    ) {
      this.#settled.add(rule.path)
      return []
    }
    const write: Change = { kind: 'write', path: rule.path, content, mode: rule.mode, over }
    return [...this.#parents(rule.path), this.#settle(write, rule.path)]
  }

  async #link(rule: Rule & { kind: 'link' }): Promise<Change[]> {
    if (rule.where && !this.#has(rule.where)) return []
    const over = this.#settled.has(rule.path) ? undefined : this.#tree.get(rule.path)
    if (rule.instead && over?.kind !== 'file') return []
    if (over?.kind === 'link') {
      const targets = await this.#root.linkTargets([over])
      if (targets.get(rule.path) === rule.target) return []
    }
    const link: Change = { kind: 'link', path: rule.path, target: rule.target, over }
    return [...this.#parents(rule.path), this.#settle(link, rule.path)]
  }

  async #edit(rule: Rule & { kind: 'edit' }): Promise<Change[]> {
    const entries = this.#matching(rule.pattern)
    const texts = await this.#texts(entries)
    const changes: Change[] = []
    for (const entry of entries) {
      const text = this.#edited.get(entry.path) ?? texts.get(entry.path)
      if (text === undefined) continue
      const changed = rule.change(text)
      if (changed === text) continue
      this.#edited.set(entry.path, changed)
      const content = Buffer.from(changed, 'latin1')
      changes.push({ kind: 'write', path: entry.path, content, mode: entry.mode, over: entry })
    }
    return changes
  }

  /** The folders that have to be made for a new path. The tree holds every folder on the way to it. */
  #parents(path: string): Change[] {
    const names = path.split('/').slice(1, -1)
    const folders = names.map((_, index) => `/${names.slice(0, index + 1).join('/')}`)
    const missing = folders.filter((folder) => !this.#tree.has(folder) && !this.#made.has(folder))
    return missing.map((folder) => {
      this.#made.add(folder)
      return { kind: 'folder', path: folder }
    })
  }
}
