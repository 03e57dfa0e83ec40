import { mkdir, readFile, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { ApplianceError } from '../lib/errors/error.ts'
import { type Fault, refuse } from '../lib/errors/fault.ts'
import { writeAtomically } from '../lib/files/atomic.ts'
import { sha256File } from '../lib/files/digest.ts'
import { exists } from '../lib/files/exists.ts'
import type { Log } from '../lib/log/log.ts'
import { GithubApi } from '../lib/runner/github-api.ts'
import { ASSET_LIMIT, type AssetSource, Releases } from '../lib/runner/releases.ts'
import { flag, path, text } from '../lib/stage/input.ts'
import { notRun } from '../lib/stage/not-run.ts'
import { earlierStage, firstNotIntact, readRecord } from '../lib/stage/record.ts'
import type { Project } from '../lib/stage/stage.ts'
import { formatSize, parseSize } from '../lib/units/size.ts'
import { ASSETS_LIMIT, joinPs1, joinSh, partsOf, type ReleaseFile, sums } from './parts.ts'

export const publishInputs = {
  tag: text('The tag to release (default: the one this run is for)'),
  archive: path('The archive of the mirror to publish beside the OVA (from mirror-deps)'),
  files: text('More files to publish, one a line'),
  'part-size': { ...text('Larger files go up in parts of this size'), default: '1900 MiB' },
  draft: flag('Leave the release a draft, for someone to look at and publish'),
  token: {
    ...text("Token that may write the repository's releases (contents: write)", { secret: true }),
    default: '$' + '{{ github.token }}',
  },
}

export const publishOutputs = {
  url: 'The page of the release',
  files: 'Everything published, as JSON: name, bytes, sha256',
}

export interface PublishValues {
  tag: string | undefined
  archive: string | undefined
  files: string | undefined
  'part-size': string | undefined
  draft: boolean
  token: string | undefined
}

export interface Published {
  url: string
  files: { name: string; bytes: number; sha256: string }[]
  /** Markdown for the job's summary. */
  summary: string
}

/**
 * Publishes what `build/` holds as a release: as a draft first, everything uploaded and held against what was built,
 * only then visible. Run again after a failure, it goes on with the draft; a release that is published stays as it is.
 */
export async function publish(
  project: Project,
  values: PublishValues,
  log: Log,
  signal: AbortSignal,
): Promise<Published> {
  const { tag, partSize } = understood(values)
  const releases = new Releases(new GithubApi(values.token, { signal }), log)
  const scratch = join(project.buildDirectory, '.work', 'publish')
  await rm(scratch, { recursive: true, force: true })
  await mkdir(scratch, { recursive: true })
  try {
    const files = await filesOf(project, values, signal)
    const sources = (await Promise.all(files.map((file) => partsOf(file, partSize, signal)))).flat()
    const extra: Record<string, string> = { 'SHA256SUMS.release': sums(files, sources) }
    if (sources.length > files.length) Object.assign(extra, { 'join.sh': joinSh, 'join.ps1': joinPs1 })
    for (const [name, content] of Object.entries(extra))
      sources.push(await written(join(scratch, name), content))

    if (sources.length > ASSETS_LIMIT)
      throw new ApplianceError(
        'input',
        `input part-size: ${formatSize(partSize)} makes ${sources.length} files, and GitHub takes ${ASSETS_LIMIT} in a release`,
        { hint: 'Give a larger part-size, up to 1900 MiB.' },
      )

    const { name, version, product } = project.spec
    const found = await releases.find(tag)
    const title = `${product.title ?? name} ${version}`
    const release =
      found ?? (await releases.createDraft(tag, title, notes(files, partSize), version.includes('-')))
    if (release.draft) {
      await releases.removeStrangers(release, new Set(sources.map((source) => source.name)))
      for (const source of sources) {
        signal.throwIfAborted()
        await releases.put(release, source, signal)
      }
    } else log.info(`${tag} is published already; it is looked at, and not changed`)
    await releases.verify(release, sources, scratch)
    log.info(`all ${sources.length} files are there, and are those that were built`)
    const done = release.draft && !values.draft ? await releases.publish(release) : release
    return {
      url: done.html_url,
      files: files.map(({ name, bytes, sha256 }) => ({ name, bytes, sha256 })),
      summary: `## [${title}](${done.html_url})${done.draft ? ' (draft)' : ''}\n\n${fileTable(files)}`,
    }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

function understood(values: PublishValues): { tag: string; partSize: number } {
  const faults: Fault[] = []
  const tag = values.tag ?? (process.env.GITHUB_REF_TYPE === 'tag' ? process.env.GITHUB_REF_NAME : undefined)
  if (!tag)
    faults.push({ message: 'input tag: this run is not for a tag, so say which one is to be released' })
  const partSize = parseSize(values['part-size'] ?? '')
  if (!partSize || partSize >= ASSET_LIMIT)
    faults.push({
      message: 'input part-size: expected a size under 2 GiB, e.g. 1900 MiB: GitHub takes no more',
    })
  refuse(faults)
  return { tag: tag!, partSize: partSize! }
}

/** Everything of the release: what was packed, the verdicts, the lock, the mirror's archive, and what else was named. */
async function filesOf(project: Project, values: PublishValues, signal: AbortSignal): Promise<ReleaseFile[]> {
  const { buildDirectory, directory, lockFile } = project
  const folder = join(buildDirectory, 'ova-pack')
  const record = await readRecord(folder)
  if (!record) throw notRun(buildDirectory, 'ova-pack', false)
  const broken = await firstNotIntact(folder, record, true)
  if (broken)
    throw new ApplianceError('digest-mismatch', `ova-pack's output ${broken} is not as it was packed`)
  const packed = JSON.parse(earlierStage(folder, record).value('files')) as { path: string }[]
  const named = (values.files ?? '').split('\n').map((line) => line.trim())
  const paths: [string, string][] = packed.map(({ path }) => [basename(path), join(directory, path)])
  paths.push(['pack-report.md', join(folder, 'report.md')], ['pack-report.json', join(folder, 'report.json')])
  for (const [of, variant] of [
    ['disk', ''],
    ['ova', 'ova'],
  ] as const)
    for (const file of ['report.xml', 'summary.md', 'verdict.json'])
      paths.push([`validation-${of}-${file}`, join(buildDirectory, 'vm-validate', variant, file)])
  paths.push([basename(lockFile), lockFile])
  const present = []
  for (const [name, path] of paths) if (await exists(path)) present.push([name, path] as const)
  if (values.archive) present.push([basename(values.archive), values.archive] as const)
  for (const path of named) if (path !== '') present.push([basename(path), join(directory, path)] as const)
  return await Promise.all(present.map(([name, path]) => described(name, path, signal)))
}

async function described(name: string, path: string, signal: AbortSignal): Promise<ReleaseFile> {
  const status = await stat(path).catch(() => undefined)
  if (!status?.isFile()) throw new ApplianceError('input', `${path} is to be published, and is not there`)
  if (status.size === 0)
    throw new ApplianceError('input', `${path} is to be published, and is empty: GitHub takes no such file`)
  return { name, path, bytes: status.size, sha256: await sha256File(path, signal) }
}

async function written(path: string, content: string): Promise<AssetSource> {
  await writeAtomically(path, content)
  const end = Buffer.byteLength(await readFile(path))
  return { name: basename(path), range: { path, start: 0, end }, sha256: await sha256File(path) }
}

function notes(files: readonly ReleaseFile[], partSize: number): string {
  const split = files.some(({ bytes }) => bytes > partSize)
  const how = split
    ? 'Larger files are in parts: download them with `SHA256SUMS.release`, then `sh join.sh`, or `join.ps1` on Windows.\n\n'
    : ''
  return `${how}${fileTable(files)}`
}

function fileTable(files: readonly ReleaseFile[]): string {
  const rows = files.map(({ name, bytes, sha256 }) => `| ${name} | ${formatSize(bytes)} | \`${sha256}\` |`)
  return `| file | size | SHA-256 |\n|---|---:|---|\n${rows.join('\n')}\n`
}
