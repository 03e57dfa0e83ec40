import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { followedTree } from '../../../actions/lib/files/followed.ts'

test('symlinks are what they lead to, within the folder and out of it; those that never end are left out', async () => {
  const home = await mkdtemp(join(tmpdir(), 'followed-'))
  try {
    for (const folder of ['tree/own', 'other/deep', 'empty'])
      await mkdir(join(home, folder), { recursive: true })
    await writeFile(join(home, 'tree/own/a'), '')
    await writeFile(join(home, 'other/b'), '')
    for (const [to, at] of [
      ['own/a', 'tree/file'],
      ['../other', 'tree/shared'],
      ['../empty', 'tree/nothing'],
      ['nowhere', 'tree/dangling'],
      ['round', 'tree/round'],
      ['..', 'tree/own/up'],
      ['../..', 'tree/own/above'],
      // From the other folder back, and so on.
      ['../../tree', 'other/deep/back'],
    ] as const)
      await symlink(to, join(home, at))
    const shown = (await followedTree(join(home, 'tree'))).map(({ path, kind }) => `${kind} ${path}`)
    expect(shown).toEqual([
      'file file',
      'folder nothing',
      'folder own',
      'file own/a',
      'folder shared',
      'file shared/b',
      'folder shared/deep',
    ])
  } finally {
    await rm(home, { recursive: true })
  }
})
