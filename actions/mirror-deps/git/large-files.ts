import { ApplianceError } from '../../lib/errors/error.ts'
import type { Repository } from './repository.ts'

/**
 * Refuses a commit that keeps files in Git LFS: what git itself holds of them are pointers, the content lies on
 * another server.
 *
 * @see https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md (The Pointer)
 */
export async function refuseLargeFiles(repository: Repository, commit: string, name: string): Promise<void> {
  const attributes = [':(glob).gitattributes', ':(glob)**/.gitattributes']
  const filtered = await repository.tried(['grep', '-q', '-I', 'filter=lfs', commit, '--', ...attributes])
  if (filtered === undefined) return
  const pointer = '^version https://git-lfs.github.com/spec/v1$'
  const listed = await repository.tried(['grep', '-l', '-I', '-e', pointer, commit])
  const files = (listed ?? '').split('\n').filter(Boolean)
  if (files.length === 0) return
  const shown = files.slice(0, 3).map((file) => file.slice(commit.length + 1))
  throw new ApplianceError(
    'input',
    `git ${name}: ${commit.slice(0, 12)} keeps ${files.length} files in Git LFS (${shown.join(', ')}${files.length > 3 ? ' …' : ''}), which cannot be mirrored`,
    { hint: 'Name those files under mirror.file, or take a repository that holds them itself.' },
  )
}
