import { cp, mkdir, readdir, readFile, realpath, writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { type Fault, refuse } from '../lib/errors/fault.ts'
import { exists } from '../lib/files/exists.ts'
import { publishedSchemas } from '../lib/spec/json-schema.ts'
import { choice, type InputValues, path } from '../lib/stage/input.ts'
import type { Door } from './inside.ts'

export const initInputs = {
  'working-directory': path('The folder (default: here)'),
  example: choice('What to begin with', ['minimal', 'license-server', 'rpm']),
}

/** The examples lie beside `dist/`, in a checkout as in a package; the command is `dist/cli/index.js`. */
async function examplesOf({ entry }: Door): Promise<string> {
  return resolve(await realpath(entry[0]!), '../../../examples')
}

/** @param folder of the appliance, from the top of its repository on; '' is the top itself */
const workflow = (folder: string): string => `\
# Builds the appliance on a self-hosted runner with virtualization (docs/runner.md of org/appliance).
name: appliance
on:
  workflow_dispatch:
  push: { branches: [main] }
  pull_request:
permissions: {}
jobs:
  appliance:
    uses: org/appliance/.github/workflows/appliance-build.yml@v1
    permissions: { contents: read }
${withFolder(folder)}`

const releaseWorkflow = (folder: string): string => `\
# Publishes the appliance: git tag v1.0.0 && git push origin v1.0.0
name: release
on:
  push: { tags: ["v*"] }
permissions: {}
jobs:
  release:
    uses: org/appliance/.github/workflows/appliance-release.yml@v1
    permissions: { contents: write, id-token: write, attestations: write }
${withFolder(folder)}    # GitHub attests where the OVA comes from. A private repository needs Enterprise Cloud for that: without it there
    # is a warning, and none where \`with\` says attest: never
`

function withFolder(folder: string): string {
  return folder === '' ? '' : `    with: { working-directory: ${JSON.stringify(folder)} }\n`
}

/** The folder that holds the repository in which another lies, if it lies in one. */
async function topOfRepository(directory: string): Promise<string | undefined> {
  if (await exists(join(directory, '.git'))) return directory
  const above = dirname(directory)
  return above === directory ? undefined : await topOfRepository(above)
}

/**
 * `appliance init`: a folder that is ready to build, in the working directory. Asks nothing and overwrites nothing;
 * what is in the way is named, all at once, before anything is written.
 */
export async function init(values: Record<string, unknown>, door: Door): Promise<void> {
  const given = values as InputValues<typeof initInputs>
  const directory = resolve(given['working-directory'] ?? '.')
  const top = (await topOfRepository(directory)) ?? directory
  const files = await filesOf(join(await examplesOf(door), given.example), relative(top, directory))
  // A repository that was begun on GitHub has these two.
  if (await exists(join(directory, 'README.md'))) delete files['README.md']
  const ignored = await readFile(join(directory, '.gitignore'), 'utf8').catch(() => '')
  delete files['.gitignore']
  const faults: Fault[] = []
  for (const path of Object.keys(files))
    if (await exists(join(directory, path)))
      faults.push({ file: path, message: `is there already, and would be overwritten (in ${directory})` })
  refuse(faults)

  await mkdir(directory, { recursive: true })
  if (!/^\/?build\/$/m.test(ignored)) {
    await writeFile(
      join(directory, '.gitignore'),
      `${ignored.replace(/(?<!\n)$/, ignored ? '\n' : '')}build/\n`,
    )
    door.log.info('.gitignore')
  }
  for (const [path, content] of Object.entries(files)) {
    const target = join(directory, path)
    await mkdir(resolve(target, '..'), { recursive: true })
    if (typeof content === 'string') await writeFile(target, content)
    else await cp(content.copy, target)
    door.log.info(path)
  }
  if (top !== directory)
    door.log.warn(`GitHub reads workflows at the top of a repository alone: move .github/workflows to ${top}`)
  door.log.info(`${basename(directory)} is an appliance now: appliance check, then appliance build`)
}

/** Path → what is in it, or the file it is a copy of. */
async function filesOf(source: string, folder: string): Promise<Record<string, string | { copy: string }>> {
  const files: Record<string, string | { copy: string }> = {}
  for (const entry of await readdir(source, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name).slice(source.length + 1)
    // The first build writes a lock of what upstream has then.
    if (!entry.isFile() || path.startsWith('build/') || path === 'appliance.lock.json') continue
    files[path] = { copy: join(source, path) }
  }
  for (const [name, schema] of Object.entries(publishedSchemas()))
    files[`schema/${name}`] = `${JSON.stringify(schema, null, 2)}\n`
  files['appliance.yml'] = await withSchema(join(source, 'appliance.yml'), 'schema/appliance.schema.json')
  for (const path of Object.keys(files))
    if (/^scenarios\/.*\.yml$/.test(path))
      files[path] = await withSchema(join(source, path), '../schema/scenario.schema.json')
  files['.github/workflows/appliance.yml'] = workflow(folder)
  files['.github/workflows/release.yml'] = releaseWorkflow(folder)
  return files
}

/** The comment that yaml-language-server reads, so that editors complete and check. */
async function withSchema(path: string, schema: string): Promise<string> {
  return `# yaml-language-server: $schema=${schema}\n${await readFile(path, 'utf8')}`
}
