import type { Change } from '../root-file-system.ts'

/** Changes as words of the machine's program, and the contents that it is to write. */
export function jobOf(changes: readonly Change[]): { words: string[]; files: Buffer[] } {
  const files: Buffer[] = []
  const words = changes.flatMap((change) => {
    if (change.kind === 'remove')
      return [change.entry.kind === 'folder' ? 'rmdir' : 'remove', change.entry.path]
    if (change.kind === 'empty') return ['empty', change.entry.path]
    if (change.kind === 'folder') return ['mkdir', change.path]
    if (change.kind === 'link')
      return [...(change.over ? ['remove', change.over.path] : []), 'link', change.path, change.target]
    const { path, mode, over, content } = change
    files.push(content)
    return [
      'write',
      path,
      `0${mode.toString(8)}`,
      `${over?.uid ?? 0}`,
      `${over?.gid ?? 0}`,
      contentName(files.length - 1),
    ]
  })
  return { words: changes.length > 0 ? ['change', String(words.length), ...words] : [], files }
}

/** Where the machine finds a content. */
export function contentName(index: number): string {
  return `/files/${String(index).padStart(6, '0')}`
}
