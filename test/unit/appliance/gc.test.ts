import { link, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { oldDownloads } from '../../../actions/appliance/gc.ts'

const LATER = Date.now() + 31 * 24 * 3_600_000

test('downloads that no project holds any more go after 30 days, those that one holds never', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'appliance-gc-'))
  try {
    const [store, project] = [join(folder, 'store'), join(folder, 'project')]
    const objects = join(store, 'sha256/ab')
    await mkdir(objects, { recursive: true })
    for (const name of ['held', 'alone']) await writeFile(join(objects, name), Buffer.alloc(10_000, 'x'))
    await link(join(objects, 'held'), project)

    expect(await oldDownloads(store)).toEqual([])
    const [found, ...others] = await oldDownloads(store, LATER)
    expect([found!.what, found!.bytes, others]).toEqual([expect.stringMatching(/^1 downloads /), 12_288, []])
    await found!.remove()
    expect(await readdir(objects)).toEqual(['held'])
    expect(await oldDownloads(store, LATER)).toEqual([])

    await rm(project)
    expect(await oldDownloads(store, LATER)).toHaveLength(1)
    for (const none of [undefined, join(folder, 'nowhere')])
      expect(await oldDownloads(none, LATER)).toEqual([])
  } finally {
    await rm(folder, { recursive: true })
  }
})
