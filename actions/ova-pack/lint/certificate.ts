import { createPublicKey, verify, X509Certificate } from 'node:crypto'
import type { Archive, Member } from '../../lib/files/archive.ts'
import type { Bytes } from '../../lib/files/bytes.ts'
import { filesOf } from './archive.ts'
import type { Find, Rules } from './rule.ts'

export const certificateRules = {
  'certificate-form': {
    severity: 'error',
    concerns: ['vmware'],
    what: 'The certificate (.cert) is not a line SHA256(NAME.mf)= signature and a PEM certificate.',
    fix: 'openssl dgst -sha256 -sign KEY NAME.mf, in hex, then the certificate.',
  },
  'certificate-signature': {
    severity: 'error',
    concerns: ['vmware', 'virtualbox'],
    what: 'The signature is not that of this manifest by this certificate.',
    fix: 'Sign the manifest last; if you did not make this OVA, do not trust it.',
  },
  'certificate-expired': {
    severity: 'warning',
    concerns: ['vmware', 'virtualbox'],
    what: 'The certificate is not valid today.',
    fix: 'Sign with one that is.',
  },
  'certificate-algorithm': {
    severity: 'warning',
    concerns: ['vmware', 'virtualbox'],
    what: 'The signature is not by RSA over SHA-256, the only kind that all importers know.',
    fix: 'An RSA key of 2048 bits or more, SHA256.',
  },
  'certificate-alone': {
    severity: 'error',
    concerns: ['ovf'],
    what: 'A certificate without a manifest signs nothing.',
    fix: 'Add the manifest.',
  },
  'certificate-position': {
    severity: 'warning',
    concerns: ['vmware', 'ovf'],
    what: 'The certificate does not follow the manifest.',
    fix: 'Archive .ovf, .mf, .cert, disks.',
  },
} as const satisfies Rules

/** A `.cert` as read: what is signed how, and by whom. */
export interface Signature {
  algorithm: string
  /** Name of the signed manifest. */
  signed: string
  signature: Buffer
  certificate: X509Certificate
}

/** @returns undefined where it is none */
export function readCertificate(text: string): Signature | undefined {
  const line = /^(SHA1|SHA256|SHA512)\(([^)\n]{1,255})\)= ([0-9A-Fa-f]{64,2048})\r?\n/.exec(text)
  const pem = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]{1,20000}-----END CERTIFICATE-----/.exec(text)
  if (!line || !pem) return undefined
  try {
    const certificate = new X509Certificate(pem[0])
    return { algorithm: line[1]!, signed: line[2]!, signature: Buffer.from(line[3]!, 'hex'), certificate }
  } catch {
    return undefined
  }
}

/** Whether the signature is that of these bytes. */
export function signatureHolds({ algorithm, signature, certificate }: Signature, manifest: Buffer): boolean {
  try {
    const key = createPublicKey(certificate.publicKey.export({ type: 'spki', format: 'pem' }))
    return verify(algorithm, manifest, key, signature)
  } catch {
    return false
  }
}

export async function lintCertificate(
  ova: Bytes,
  archive: Archive,
  manifest: Member | undefined,
  now: number,
  find: Find<typeof certificateRules>,
): Promise<void> {
  const files = filesOf(archive)
  const member = files.find(({ name }) => name.endsWith('.cert'))
  if (!member) return
  if (!manifest) return find('certificate-alone', member.name, 'no .mf')
  if (files.indexOf(member) !== files.indexOf(manifest) + 1)
    find('certificate-position', member.name, `after ${files[files.indexOf(member) - 1]?.name ?? 'nothing'}`)
  const text = (await ova.read(member.offset, Math.min(member.size, 1 << 20))).toString('latin1')
  const signature = readCertificate(text)
  if (!signature) return find('certificate-form', member.name, JSON.stringify(text.slice(0, 60)))
  const { certificate, algorithm, signed } = signature
  const content = await ova.read(manifest.offset, Math.min(manifest.size, 1 << 20))
  if (signed !== manifest.name || !signatureHolds(signature, content))
    find(
      'certificate-signature',
      member.name,
      `of ${signed}, by ${certificate.subject.replaceAll('\n', ', ')}`,
    )
  const kind = certificate.publicKey.asymmetricKeyType
  if (kind !== 'rsa' || algorithm !== 'SHA256')
    find('certificate-algorithm', member.name, `${algorithm}, ${kind}`)
  if (Date.parse(certificate.validFrom) > now * 1000 || Date.parse(certificate.validTo) < now * 1000)
    find('certificate-expired', member.name, `${certificate.validFrom} to ${certificate.validTo}`)
}
