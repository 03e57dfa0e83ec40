import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { expect, test } from '@jest/globals'
import { sha256File } from '../../actions/lib/files/digest.ts'
import { run } from '../../actions/lib/process/command.ts'
import { dist, node24 } from './emulator/step.ts'

const root = resolve(import.meta.dirname, '../..')

/** Path in the folder → SHA-256 and whether it may be executed. */
async function contents(folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const executable = ((await stat(path)).mode & 0o111) !== 0
    found[path.slice(folder.length + 1)] = `${await sha256File(path)}${executable ? ' x' : ''}`
  }
  return found
}

test('dist/ is what the sources give', async () => {
  const fresh = await mkdtemp('/tmp/appliance-bundle-')
  try {
    await run(join(root, 'script/bundle'), [fresh], { timeout: 240_000 })
    // When this fails: script/bundle, and commit dist/.
    expect(await contents(dist)).toEqual(await contents(fresh))
  } finally {
    await rm(fresh, { recursive: true })
  }
})

test('nothing of the computer it was made on is in it', async () => {
  const bundle = await readFile(join(dist, 'bundle/index.js'), 'utf8')
  expect(bundle).not.toContain(root)
  expect(bundle.length).toBeLessThan(8 << 20)
})

test.each([
  ['the Node of this test', process.execPath],
  ['the Node of the runner', node24],
])('the command starts with %s', async (_, node) => {
  const { stdout } = await run(node, [join(dist, 'cli/index.js'), 'help'])
  expect(stdout).toContain('mirror-deps')
})
