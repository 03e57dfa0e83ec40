import { mkdir, stat } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { dataDisks } from '../lib/disk/data-disks.ts'
import { imageSha256 } from '../lib/disk/image.ts'
import { ApplianceError } from '../lib/errors/error.ts'
import { writeAtomically, writeJson } from '../lib/files/atomic.ts'
import { sha256File } from '../lib/files/digest.ts'
import { buildKey } from '../lib/guest/key.ts'
import { definitionOf } from '../lib/spec/machine.ts'
import { file, flag } from '../lib/stage/input.ts'
import type { EarlierStage, Stage, StageResult, StageWork } from '../lib/stage/stage.ts'
import { openToolsRoot, toolsKey } from '../lib/tools/root.ts'
import type { ToolsRoot } from '../lib/tools/tools.ts'
import { searchDataDisks } from './data-disks.ts'
import { describing, type Guest, hardwareOf, iconOf, propertiesOf, wordsOf } from './describe.ts'
import { packFormat, zlibLevels } from './formats/formats.ts'
import { inputDigests } from './inputs.ts'
import { lintOva } from './lint/lint.ts'
import { atLeast, sentenceOf } from './lint/present.ts'
import type { Finding } from './lint/rule.ts'
import { packOva } from './ova.ts'
import { rawSha256, toRaw } from './raw-disk.ts'
import { type PackedFile, type PackReport, reportMarkdown } from './report.ts'
import { rootAccessOf } from './root-access-of.ts'
import { type SealReport, seal } from './seal.ts'
import { type Searched, searchedSecrets } from './searched.ts'
import { usualNeedles } from './secrets.ts'
import { differences, hasVmwareTools, partsOf } from './trust/parts.ts'
import { certificateFile, openSigner, type Signer } from './trust/signer.ts'
import { writeTrust } from './trust/write.ts'
import { permission } from './verdict.ts'

const RECIPE = '9'

/** The mirror as guests see it: by name, in the private network, and in QEMU's own. */
const MIRROR_URLS = ['http://mirror.internal', 'http://mirror', 'http://10.77.0.1', 'http://10.0.2.100']

const inputs = {
  disk: file('disk', 'The configured disk, qcow2 or raw (default: that of chef-provision)'),
  unvalidated: flag('Pack a disk that has no passing verdict of vm-validate; the report will say so'),
}

type Work = StageWork<typeof inputs>

/** The validated disk, generalised, sealed and packed: what customers get. */
export const ovaPack: Stage<typeof inputs> = {
  name: 'ova-pack',
  description: 'Seals the validated disk and packs it as an OVA that imports anywhere',
  inputs,
  outputs: {
    ova: 'The appliance',
    'ova-sha256': 'Its SHA-256',
    files: 'Everything packed, as JSON: name, path (relative to the spec), bytes, sha256',
    report: 'What was sealed and packed (Markdown; report.json beside it)',
  },
  place: 'private-network',

  async dependsOn(work) {
    const { spec } = work.project
    const disk = await provisionedDisk(work)
    const validation = await validationOf(work)
    return {
      recipe: RECIPE,
      disk: disk.sha256,
      validated: validation ? `${validation.value('verdict')} ${validation.value('disk-sha256')}` : 'no',
      unvalidated: String(work.inputs.unvalidated),
      'spec.name': spec.name,
      'spec.version': spec.version,
      'spec.product': JSON.stringify(spec.product),
      ...(await inputDigests(spec)),
      lock: work.project.lock ? await sha256File(work.project.lockFile) : '',
      tools: work.project.lock ? toolsKey(work.project.lock) : '',
      zlib: process.versions.zlib,
    }
  },

  async run(work): Promise<StageResult> {
    const { project, signal } = work
    const { spec } = project
    const provisioned = await provisionedDisk(work)
    const permitted = permission(await validationOf(work), provisioned.sha256, work.inputs.unvalidated)
    if (permitted === 'unvalidated') work.log.warn('packing a disk without a passing verdict, as asked')
    const signer =
      spec.pack.sign && (await openSigner(spec.pack.sign, work.workDirectory, Date.now(), signal))
    const tools = await openToolsRoot(work)

    const disk = join(work.workDirectory, 'disk.raw')
    await work.timed('unpack', () => toRaw(provisioned.path, disk, signal))
    const searched = await searchedSecrets(spec, await buildKey(project.buildDirectory))
    for (const one of searched.unsearched) work.log.warn(`not looked for on the disk: ${one}`)
    const { installed, ...sealed } = await work.timed('seal', () => sealDisk(work, disk, tools, searched))
    const { capacity } = sealed
    const further = await work.timed('data disks', () => furtherDisks(work, searched))
    sealed.tolerated.push(...further.tolerated)

    await mkdir(work.outDirectory, { recursive: true })
    const rawDigest = rawSha256(disk, capacity, signal)
    rawDigest.catch(() => {}) // seen below, or not at all when packing fails first
    const guest = { os: sealed.os, guestInfo: hasVmwareTools(installed) }
    const paths = await packAll(work, { disk, further: further.disks, capacity, guest, signer })
    const ova = paths.find((file) => file.endsWith('.ova'))
    const findings = ova ? await work.timed('lint', () => linted(work, ova)) : []

    const files = await work.timed('digest', () => Promise.all(paths.map((file) => described(work, file))))
    const parts = partsOf(project.lock, installed)
    const packed = {
      name: spec.name,
      version: spec.version,
      permission: permitted,
      disk: { sha256: await rawDigest, capacity, provisioned: provisioned.sha256 },
      files,
      seal: sealed,
      unsearched: searched.unsearched,
      lint: findings,
      differences: differences(parts),
      tools: { zlib: process.versions.zlib, e2fsprogs: await e2fsprogsVersion(tools) },
    }
    const folder = work.outDirectory
    const trust = await writeTrust({ project, folder, report: packed, os: sealed.os, parts, signer })
    return await recorded(work, { ...packed, trust })
  },
}

/** The disk to pack and its digest: as chef-provision recorded them, or the one given. */
async function provisionedDisk(work: Work): Promise<{ path: string; sha256: string }> {
  const given = work.inputs.disk
  if (given) return { path: given, sha256: await imageSha256(given, work.signal) }
  const earlier = await work.earlier('chef-provision')
  return { path: earlier.path('disk'), sha256: earlier.sha256('disk') }
}

/** undefined when vm-validate has not been run. */
async function validationOf(work: Work): Promise<EarlierStage | undefined> {
  return await work.earlier('vm-validate').catch((error) => {
    if (error instanceof ApplianceError && error.code === 'stale') return undefined
    throw error
  })
}

async function sealDisk(
  work: Work,
  disk: string,
  tools: ToolsRoot,
  { needles }: Searched,
): Promise<SealReport> {
  const { project, log, signal, workDirectory } = work
  const { allow, ...choices } = project.spec.pack.seal
  return await seal({
    disk,
    tools,
    scratch: workDirectory,
    generalisation: {
      hostname: project.spec.name,
      mirrorUrls: MIRROR_URLS,
      buildUser: definitionOf(project.spec.basebox, project.directory)?.recipe?.ssh.user,
      root: await rootAccessOf(project.spec, signal),
      properties: propertiesOf(project.spec),
      ...choices,
    },
    needles,
    size: hardwareOf(project.spec).disk,
    allowed: allow,
    lock: project.lock,
    log,
    signal,
  })
}

async function furtherDisks({ project, workDirectory, log, signal }: Work, searched: Searched) {
  const { hardware, seal } = project.spec.pack
  const disks = await dataDisks(hardware.data_disks, workDirectory, signal)
  const needles = [...usualNeedles(MIRROR_URLS), ...searched.needles]
  const order = { wanted: hardware.data_disks, disks, needles, allowed: seal.allow, log, signal }
  return { disks, tolerated: await searchDataDisks(order) }
}

/** What is packed: raw disks, sealed, and what is said of them. */
interface Sealed {
  disk: string
  further: readonly string[]
  /** Of the disk. Bytes. */
  capacity: number
  guest: Guest
  signer: Signer | undefined
}

/** Every format that is wanted, from one disk, in the order of the spec. */
async function packAll(work: Work, sealed: Sealed): Promise<string[]> {
  const { disk, capacity } = sealed
  const { log, signal, workDirectory, outDirectory, project } = work
  const { name, version, pack } = project.spec
  const { cpus, memory } = hardwareOf(project.spec)
  const stem = join(outDirectory, `${name}-${version}`)
  const machine = { cpus, memory, disk: capacity, user: 'root', mac: '' }
  const order = { disk, stem, level: pack.level, machine, work: workDirectory, log, signal }
  const paths: string[] = []
  for (const format of pack.formats) {
    const write = async () => {
      if (format === 'ova') return [await packAsOva(work, sealed, `${stem}.ova`)]
      const written = [await packFormat(format, order)]
      for (const [index, disk] of sealed.further.entries())
        written.push(await packFormat(format, { ...order, disk, stem: `${stem}-disk${index + 2}` }))
      return written
    }
    paths.push(...(await work.timed(format, write)))
  }
  return paths
}

async function packAsOva(
  work: Work,
  { disk, further, guest, signer }: Sealed,
  path: string,
): Promise<string> {
  const { log, signal, project } = work
  const { pack } = project.spec
  const icon = await iconOf(pack.icon)
  await packOva({
    disk,
    dataDisks: further,
    path,
    describe: describing(await wordsOf(project.spec, guest, icon?.described)),
    extras: icon ? [{ name: icon.described.file, content: icon.content }] : [],
    ...(signer && { sign: (name: string, manifest: Buffer) => certificateFile(signer, name, manifest) }),
    level: zlibLevels[pack.level],
    log,
    signal,
  })
  return path
}

/** What hypervisors would refuse ends the stage; the rest is told. */
async function linted({ project, log, signal }: Work, path: string): Promise<Finding[]> {
  const { ignore } = project.spec.pack.lint
  const { findings } = await lintOva(path, { ignore, now: Date.now() / 1000, signal })
  for (const finding of findings.filter(atLeast('warning'))) log.warn(`lint: ${sentenceOf(finding)}`)
  const errors = findings.filter(atLeast('error'))
  if (errors.length > 0)
    throw new ApplianceError(
      'check-failed',
      `lint: ${errors.map(({ rule, place }) => `${rule} (${place})`).join(', ')}`,
      {
        hint: 'Mend it, or put the rule under pack.lint.ignore when you know why it does not count.',
      },
    )
  return findings
}

async function described(work: Work, path: string): Promise<PackedFile> {
  return {
    name: basename(path),
    path: relative(work.project.directory, path),
    bytes: (await stat(path)).size,
    sha256: await sha256File(path, work.signal),
  }
}

async function e2fsprogsVersion(tools: ToolsRoot): Promise<string> {
  const { stderr } = await tools.run('debugfs', ['-V'])
  return /^debugfs (\S+)/.exec(stderr)?.[1] ?? 'unknown'
}

/** Writes the report and says what `stage.json` records. */
async function recorded(work: Work, report: PackReport): Promise<StageResult> {
  const markdown = join(work.outDirectory, 'report.md')
  await writeAtomically(markdown, reportMarkdown(report))
  const data = join(work.outDirectory, 'report.json')
  await writeJson(data, report)
  const ova = report.files.find(({ name }) => name.endsWith('.ova'))
  return {
    outputs: {
      ...(ova && {
        ova: { path: join(work.outDirectory, ova.name), sha256: ova.sha256 },
        'ova-sha256': { value: ova.sha256 },
      }),
      files: { value: JSON.stringify([...report.files, ...report.trust]) },
      report: { path: markdown },
    },
    files: [
      ...[...report.files.filter((file) => file !== ova), ...report.trust].map(({ name, sha256 }) => ({
        path: join(work.outDirectory, name),
        sha256,
      })),
      { path: data },
    ],
    tools: report.tools,
  }
}
