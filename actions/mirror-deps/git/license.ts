import { NOASSERTION } from '../../lib/lock/lock.ts'
import type { Repository } from './repository.ts'

/** Beginnings of licence texts that can be no other's; the GNU licences do not say "or later" in theirs. */
const known: [RegExp, string][] = [
  [/^\s*(The )?MIT License/i, 'MIT'],
  [/^\s*Apache License\s+Version 2\.0, January 2004/i, 'Apache-2.0'],
  [/^\s*Mozilla Public License Version 2\.0/i, 'MPL-2.0'],
  [/^\s*BSD 3-Clause License/i, 'BSD-3-Clause'],
  [/^\s*BSD 2-Clause License/i, 'BSD-2-Clause'],
  [/^\s*ISC License/i, 'ISC'],
]

/** The licence of a commit, where its licence file says so beyond doubt. */
export async function licenseOf(repository: Repository, commit: string): Promise<string> {
  const names = ((await repository.tried(['ls-tree', '--name-only', commit])) ?? '').split('\n')
  const files = names.filter((name) => /^(licen[cs]e|copying)(\.(md|txt|rst))?$/i.test(name))
  // Two licence files are two licences, or a choice between them: a person has to look.
  if (files.length !== 1) return NOASSERTION
  const text = (await repository.tried(['cat-file', 'blob', `${commit}:${files[0]}`])) ?? ''
  const stated = /^\W*SPDX-License-Identifier:\s*([A-Za-z0-9.+ ()-]+?)\s*$/m.exec(text)?.[1]
  const plain = text.replace(/^[#\s]+/, '')
  return stated ?? known.find(([beginning]) => beginning.test(plain))?.[1] ?? NOASSERTION
}
