import { createHash, createPublicKey, verify as verifySignature, X509Certificate } from 'node:crypto'
import { open, readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { readArchive } from '../../lib/files/archive.ts'
import { type Bytes, fileBytes, inSteps, partOf } from '../../lib/files/bytes.ts'
import { sha256File } from '../../lib/files/digest.ts'
import { exists } from '../../lib/files/exists.ts'
import type { Log } from '../../lib/log/log.ts'
import { readVmdk } from '../../lib/vmdk/read.ts'
import { archiveRules, filesOf, lintArchive } from '../lint/archive.ts'
import { isDamaged, readCertificate, signatureHolds } from '../lint/certificate.ts'
import { lintManifest, manifestRules } from '../lint/manifest.ts'
import type { Check } from './check.ts'
import { packagesCheck } from './packages-check.ts'
import { fingerprintOf } from './write.ts'

export interface VerifyOptions {
  /** A PEM certificate that the customer has from elsewhere: there have to be signatures, and by it. */
  certificate?: string
  log: Log
  signal: AbortSignal
}

/** Checks an OVA and what lies beside it: digests, signatures, provenance, SBOM. Says everything, right or wrong. */
export async function verifyOva(path: string, { certificate, log, signal }: VerifyOptions): Promise<Check[]> {
  const folder = dirname(path)
  const checks: Check[] = []
  const trusted = certificate ? await readFile(certificate, 'utf8') : undefined
  const digest = await sha256File(path, signal)
  checks.push({ title: 'SHA-256', says: digest })
  checks.push(await checkSums(folder, basename(path), digest, signal))
  const stem = path.replace(/\.ova$/, '')
  const statements = await statementsAt(stem)
  const vouched = Object.values(statements).some((text) => text !== undefined)
  checks.push(await checkSumsSignature(folder, trusted, vouched))
  await using file = await open(path)
  const ova = fileBytes(file, 0, (await file.stat()).size)
  const { checks: inside, disk, capacity } = await checkInside(ova, trusted, signal)
  checks.push(...inside)
  checks.push(
    ...(await checkStatements(statements, basename(path), digest, disk && { disk, capacity }, log, signal)),
  )
  return checks
}

async function checkSums(folder: string, name: string, digest: string, signal: AbortSignal): Promise<Check> {
  const title = 'SHA256SUMS'
  const text = await readFile(join(folder, title), 'utf8').catch(() => undefined)
  if (text === undefined) return { title, absent: true }
  const lines = [...text.matchAll(/^([0-9a-f]{64}) [ *]([^/\n]+)$/gm)].map(([, hex, file]) => ({
    hex,
    file: file!,
  }))
  const faults: string[] = []
  if (!lines.some(({ file }) => file === name)) faults.push(`it does not list ${name}`)
  let checked = 0
  for (const { hex, file } of lines) {
    const there = join(folder, file)
    if (!(await exists(there))) continue
    checked++
    if ((file === name ? digest : await sha256File(there, signal)) !== hex) faults.push(`${file} is another`)
  }
  return { title, ...(faults.length > 0 ? { fault: faults.join('; ') } : { says: `${checked} files` }) }
}

/** @param vouched whether a provenance or SBOM lies there, which SHA256SUMS alone signs */
async function checkSumsSignature(
  folder: string,
  trusted: string | undefined,
  vouched: boolean,
): Promise<Check> {
  const title = 'signature of SHA256SUMS'
  const [sums, signature, beside] = await Promise.all(
    ['SHA256SUMS', 'SHA256SUMS.sig', 'certificate.pem'].map((file) =>
      readFile(join(folder, file)).catch(() => undefined),
    ),
  )
  const pem = trusted ?? beside?.toString()
  if (!sums || !signature || !pem)
    return trusted && (sums || vouched) ? { title, fault: NOT_SIGNED } : { title, absent: true }
  try {
    const key = createPublicKey(new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'pem' }))
    if (!verifySignature('sha256', sums, key, signature))
      return { title, fault: 'it is not by this certificate' }
    return { title, says: bySubject(pem, trusted) }
  } catch (error) {
    return { title, fault: (error as Error).message }
  }
}

/** Whoever changes what is signed leaves the signature out: for those who ask by whom it is, none is a wrong one. */
const NOT_SIGNED = 'there is none, so nothing shows that it is by the certificate given'

function bySubject(pem: string, trusted: string | undefined): string {
  const { subject } = new X509Certificate(pem)
  const whom = `by ${subject.replaceAll('\n', ', ')}, certificate ${fingerprintOf(pem)}`
  return trusted ? whom : `${whom}: ask its maker whether that is theirs, or give --certificate`
}

interface Inside {
  checks: Check[]
  /** The first, if it can be read. */
  disk: Bytes | undefined
  capacity: number
}

/** Archive, manifest, certificate and every disk. */
async function checkInside(ova: Bytes, trusted: string | undefined, signal: AbortSignal): Promise<Inside> {
  const archive = await readArchive(ova, signal)
  const damage: string[] = []
  lintArchive(archive, (rule, place) => {
    if (/damaged|cut-short|end|padding|duplicate/.test(rule))
      damage.push(`${archiveRules[rule].what}${place && ` (${place})`}`)
  })
  const checks: Check[] = [{ title: 'archive', ...(damage.length > 0 && { fault: damage.join('; ') }) }]
  const faults: string[] = []
  const { manifest } = await lintManifest(
    ova,
    archive,
    (rule, place, evidence) => {
      if (/^(digest|manifest-(missing|stranger|incomplete|syntax|empty|twice|case))/.test(rule))
        faults.push([place, evidence || manifestRules[rule].what].filter(Boolean).join(': '))
    },
    signal,
  )
  checks.push({ title: 'manifest', ...(faults.length > 0 && { fault: faults.join('; ') }) })

  const files = filesOf(archive)
  const cert = files.find(({ name }) => name.endsWith('.cert'))
  if (cert && manifest) {
    const signature = readCertificate(
      (await ova.read(cert.offset, Math.min(cert.size, 1 << 20))).toString('latin1'),
    )
    const text = await ova.read(manifest.offset, Math.min(manifest.size, 1 << 20))
    const holds = signature && signature.signed === manifest.name && signatureHolds(signature, text)
    const pem = signature?.certificate.toString()
    const stranger = pem && trusted && fingerprintOf(pem) !== fingerprintOf(trusted)
    const damaged = signature && (isDamaged(signature.certificate) || !signature.plain)
    checks.push({
      title: 'signature of the manifest',
      ...(!holds
        ? { fault: 'it is not that of this manifest' }
        : stranger
          ? { fault: 'it is by another certificate' }
          : damaged
            ? { fault: 'the certificate was damaged or changed' }
            : { says: bySubject(pem!, trusted) }),
    })
  } else
    checks.push({
      title: 'signature of the manifest',
      ...(trusted ? { fault: NOT_SIGNED } : { absent: true }),
    })

  const members = files.filter(({ name }) => name.endsWith('.vmdk'))
  if (members.length === 0) checks.push({ title: 'disk', fault: 'there is none' })
  let first: Pick<Inside, 'disk' | 'capacity'> = { disk: undefined, capacity: 0 }
  for (const [index, { name, offset, size }] of members.entries()) {
    const read = await readVmdk(partOf(ova, offset, size), true, signal)
    const wrong = read.faults.find(({ kind }) => !toleratedInDisks.includes(kind))
    checks.push({
      title: index === 0 ? 'disk, every grain' : `disk ${index + 1}, every grain`,
      ...(wrong && { fault: `${name}: ${wrong.kind} at byte ${wrong.at}: ${wrong.evidence}` }),
    })
    if (index === 0) first = { disk: wrong ? undefined : read.disk, capacity: read.capacity ?? 0 }
  }
  return { checks, ...first }
}

/** What some importer would not like, though every byte of the disk can be read. */
const toleratedInDisks = ['vmdk-version', 'vmdk-slack', 'vmdk-order', 'vmdk-content-id']

interface Statements {
  provenance: string | undefined
  cdx: string | undefined
  spdx: string | undefined
}

async function statementsAt(stem: string): Promise<Statements> {
  const at = (kind: string) => readFile(`${stem}.${kind}.json`, 'utf8').catch(() => undefined)
  return { provenance: await at('provenance'), cdx: await at('cdx'), spdx: await at('spdx') }
}

/** Provenance and SBOMs: about this very file, this very disk, and what is on it. */
async function checkStatements(
  { provenance, cdx, spdx }: Statements,
  name: string,
  digest: string,
  inside: { disk: Bytes; capacity: number } | undefined,
  log: Log,
  signal: AbortSignal,
): Promise<Check[]> {
  const raw = inside && (provenance || cdx || spdx) ? await rawDigest(inside.disk, log, signal) : undefined
  return [
    judged('provenance', provenance, (text) => {
      const { subject, predicate } = JSON.parse(text) as ProvenanceFile
      const own = subject.find((one) => one.name === name)
      if (own?.digest.sha256 !== digest) return `it is not about this ${name}`
      const said = predicate.buildDefinition.internalParameters.rawDisk?.digest.sha256
      return raw !== undefined && said !== raw ? `its disk is ${said}, this one's ${raw}` : undefined
    }),
    judged('SBOM (SPDX)', spdx, (text) => {
      const packages = (JSON.parse(text) as { packages: { checksums?: { checksumValue: string }[] }[] })
        .packages
      const said = packages[0]?.checksums?.[0]?.checksumValue
      return raw !== undefined && said !== raw ? `it is about the disk ${said}` : undefined
    }),
    judged('SBOM (CycloneDX)', cdx, (text) => {
      const said = (JSON.parse(text) as CycloneDxFile).metadata.component.hashes[0]?.content
      return raw !== undefined && said !== raw ? `it is about the disk ${said}` : undefined
    }),
    await packagesCheck(cdx, inside?.disk, signal),
  ]
}

interface ProvenanceFile {
  subject: { name: string; digest: { sha256: string } }[]
  predicate: { buildDefinition: { internalParameters: { rawDisk?: { digest: { sha256: string } } } } }
}

interface CycloneDxFile {
  metadata: { component: { hashes: { content: string }[] } }
}

function judged(title: string, text: string | undefined, judge: (text: string) => string | undefined): Check {
  if (text === undefined) return { title, absent: true }
  try {
    const fault = judge(text)
    return { title, ...(fault && { fault }) }
  } catch {
    return { title, fault: 'it cannot be read' }
  }
}

async function rawDigest(disk: Bytes, log: Log, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  const progress = log.progress('reading the disk', disk.size, 'bytes')
  try {
    for await (const piece of inSteps(disk, signal)) {
      hash.update(piece)
      progress.add(piece.length)
    }
  } finally {
    progress.done()
  }
  return hash.digest('hex')
}
