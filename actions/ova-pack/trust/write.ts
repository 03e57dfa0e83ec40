import { X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { writeAtomically } from '../../lib/files/atomic.ts'
import { sha256, sha256File } from '../../lib/files/digest.ts'
import type { Project } from '../../lib/stage/stage.ts'
import { inputDigests } from '../inputs.ts'
import type { OsRelease } from '../os-release.ts'
import type { PackedFile, PackReport } from '../report.ts'
import { handoverReadme, sha256sums } from './handover.ts'
import type { Part } from './parts.ts'
import { provenance } from './provenance.ts'
import { cycloneDx, spdx } from './sbom.ts'
import type { Signer } from './signer.ts'

export interface TrustOrder {
  project: Project
  folder: string
  report: Omit<PackReport, 'trust'>
  os: OsRelease
  parts: readonly Part[]
  signer: Signer | undefined
}

/** Stages whose records say how the disk came about. */
const stagesBefore = ['mirror-deps', 'veewee-basebox', 'chef-provision']

/** Writes what lets a customer trust the files: SBOMs, provenance, digests, signature, and how to check them. */
export async function writeTrust(order: TrustOrder): Promise<PackedFile[]> {
  const { project, folder, report, os, parts, signer } = order
  const { name, version, disk, files, tools, permission } = report
  const stem = `${name}-${version}`
  const facts = { name, version, vendor: project.spec.product.vendor, disk: disk.sha256, os, parts }
  const written: PackedFile[] = []
  const put = async (file: string, content: string | Uint8Array) => {
    await writeAtomically(join(folder, file), content)
    written.push({
      name: file,
      path: relative(project.directory, join(folder, file)),
      bytes: content.length,
      sha256: sha256(content),
    })
  }
  const earlier = await records(project.buildDirectory)
  await put(`${stem}.cdx.json`, cycloneDx(facts))
  await put(`${stem}.spdx.json`, spdx(facts))
  await put(
    `${stem}.provenance.json`,
    provenance({
      name,
      version,
      subjects: files,
      spec: sha256(JSON.stringify(await inputDigests(project.spec))),
      lock: await digestOf(project.lockFile),
      provisioned: disk.provisioned,
      disk: disk.sha256,
      validated: permission === 'validated',
      stages: Object.fromEntries(earlier.map(({ stage, digest }) => [stage, digest])),
      tools: Object.assign({}, ...earlier.map(toolsOf), tools),
    }),
  )
  if (signer) await put('certificate.pem', signer.certificate)
  const sums = sha256sums([...files, ...written])
  await put('SHA256SUMS', sums)
  if (signer) await put('SHA256SUMS.sig', await signer.sign(Buffer.from(sums)))
  const readme = handoverReadme({
    title: project.spec.product.title ?? name,
    version,
    main: files[0]?.name ?? '',
    fingerprint: signer && fingerprintOf(signer.certificate),
  })
  await put('README.txt', readme)
  return written
}

/** SHA-256 of a certificate as openssl shows it, in hex. */
export function fingerprintOf(pem: string): string {
  return new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase()
}

async function digestOf(path: string): Promise<string | undefined> {
  return (await stat(path).catch(() => undefined)) ? await sha256File(path) : undefined
}

interface EarlierRecord {
  stage: string
  digest: string
  tools: Readonly<Record<string, string>>
}

async function records(build: string): Promise<EarlierRecord[]> {
  const found: EarlierRecord[] = []
  for (const stage of stagesBefore) {
    const record = await readFile(join(build, stage, 'stage.json'), 'utf8').catch(() => undefined)
    if (record === undefined) continue
    const { tools = {} } = JSON.parse(record) as Partial<EarlierRecord>
    found.push({ stage, digest: sha256(record), tools })
  }
  return found
}

/** `chef-provision qemu-system-x86_64`: two stages may have used two versions of one. */
function toolsOf({ stage, tools }: EarlierRecord): Record<string, string> {
  return Object.fromEntries(Object.entries(tools).map(([tool, version]) => [`${stage} ${tool}`, version]))
}
