import type { Lock, LockedCookbook } from '../lock/lock.ts'

/** `cookbook/apt-7.5.2-0a1b2c3d.tgz` in the tree: two supermarkets may have different ones of a name and version. */
export function cookbookInTree({ name, version, sha256 }: LockedCookbook): string {
  return `cookbook/${name}-${version}-${sha256.slice(0, 8)}.tgz`
}

/** Every cookbook of a supermarket, each once. */
export function cookbooksIn({ cookbook = [] }: Lock): LockedCookbook[] {
  const all = cookbook.flatMap(({ cookbooks }) => cookbooks)
  return [...new Map(all.map((one) => [cookbookInTree(one), one])).values()]
}
