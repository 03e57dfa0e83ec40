import { posix } from 'node:path'
import type { LockedGit } from '../lock/lock.ts'
import { gitRepositoriesOf, resolveAddress, sameAddress } from '../lock/repositories.ts'

/** An address, and the one that git is to use instead of it. */
export interface Rewrite {
  from: string
  to: string
}

/**
 * What makes an unmodified git find upstream's repositories in the mirror, each with and without `.git` at its end.
 * A submodule's relative address is resolved by git against the address its repository was cloned from; so where
 * that was the mirror's own, it is led to the submodule's place there.
 *
 * @see git-config(1), url.<base>.insteadOf
 */
export function gitRewrites(sources: readonly LockedGit[], mirrorUrl: string): Rewrite[] {
  const rewrites = new Map<string, string>()
  const add = (from: string, to: string) => {
    if (from !== to && !rewrites.has(from)) rewrites.set(from, to)
  }
  for (const source of sources)
    for (const { name, url } of gitRepositoriesOf(source)) {
      const to = `${mirrorUrl}/git/${name}.git`
      if (!url.includes('://') && !/^[^/]+@[^/]+:/.test(url)) continue
      const plain = url.replace(/\/+$/, '').replace(/\.git$/, '')
      add(`${plain}.git`, to)
      add(plain, to)
    }
  for (const source of sources)
    for (const inner of source.submodules) {
      const from = resolveAddress(
        `${mirrorUrl}/git/${source.name}.git`,
        posix.relative(source.url, inner.url),
      )
      const plain = from.replace(/\.git$/, '')
      const taken = sources.find(({ name }) => `${mirrorUrl}/git/${name}` === plain)
      if (taken && !sameAddress(taken, inner)) continue
      add(`${plain}.git`, `${mirrorUrl}/git/${inner.name}.git`)
      add(plain, `${mirrorUrl}/git/${inner.name}.git`)
    }
  return [...rewrites].map(([from, to]) => ({ from, to }))
}

/** As sections of git's configuration. */
export function rewriteSections(rewrites: readonly Rewrite[]): string {
  return rewrites
    .map(({ from, to }) => `[url ${JSON.stringify(to)}]\n\tinsteadOf = ${JSON.stringify(from)}\n`)
    .join('')
}
