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
  'certificate-damaged': {
    severity: 'error',
    concerns: ['vmware', 'virtualbox'],
    what: 'The certificate signs itself, and that signature is not right: it was damaged or changed.',
    fix: 'Fetch the OVA again; if you did not make it, do not trust it.',
  },
  'certificate-odd': {
    severity: 'note',
    concerns: ['everyone'],
    what: 'The certificate is written as no program writes it: a bit may have flipped.',
    fix: 'Compare the SHA-256 of the file with that of its maker.',
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
  /** Whether every byte is as programs write it. */
  plain: boolean
}

/** @returns undefined where it is none */
export function readCertificate(text: string): Signature | undefined {
  const line = /^(SHA1|SHA256|SHA512)\(([^)\n]{1,255})\)= ([0-9A-Fa-f]{64,2048})\r?\n/.exec(text)
  const pem = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]{1,20000}-----END CERTIFICATE-----/.exec(text)
  if (!line || !pem) return undefined
  try {
    const certificate = new X509Certificate(pem[0])
    if (!certificate.publicKey) return undefined // where it cannot be read, asking for it throws
    const [whole, algorithm, signed, hex] = line as unknown as [string, string, string, string]
    const plain = isPlainHex(hex) && isPlainPem(text.slice(whole.length), text)
    return { algorithm, signed, signature: Buffer.from(hex, 'hex'), certificate, plain }
  } catch {
    return undefined
  }
}

function isPlainHex(hex: string): boolean {
  return hex === hex.toLowerCase() || hex === hex.toUpperCase()
}

/** Certificates, each as OpenSSL would write it, and nothing else. @param text all, for the kind of its line ends */
function isPlainPem(pem: string, text: string): boolean {
  const lines = text.split('\n')
  if (lines.slice(0, -1).some((line) => line.endsWith('\r') !== lines[0]!.endsWith('\r'))) return false
  const found = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
  const written = found.map((one) => new X509Certificate(one).toString().trim()).join('\n')
  return pem.replaceAll('\r\n', '\n').replace(/\n$/, '') === written
}

/** DER of the extensions subjectKeyIdentifier and authorityKeyIdentifier up to a SHA-1. @see RFC 5280, 4.2.1.1 f. */
const OWN_KEY = /0603551d0e04160414([0-9a-f]{40})/
const ISSUERS_KEY = /0603551d2304[0-9a-f]{2}30[0-9a-f]{2}8014([0-9a-f]{40})/

/**
 * Whether a certificate that signs itself, as most for this purpose do, does so no more. It may say in two places that
 * it does; no one bit changes both. What another has signed can be checked with that one's certificate alone.
 */
export function isDamaged(certificate: X509Certificate): boolean {
  const der = certificate.raw.toString('hex')
  const issuersKey = ISSUERS_KEY.exec(der)?.[1]
  const signsItself =
    certificate.issuer === certificate.subject ||
    (issuersKey !== undefined && issuersKey === OWN_KEY.exec(der)?.[1])
  return signsItself && !certificate.verify(certificate.publicKey)
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
  else if (isDamaged(certificate))
    find('certificate-damaged', member.name, certificate.subject.replaceAll('\n', ', '))
  if (!signature.plain) find('certificate-odd', member.name, '')
  const kind = certificate.publicKey.asymmetricKeyType
  if (kind !== 'rsa' || algorithm !== 'SHA256')
    find('certificate-algorithm', member.name, `${algorithm}, ${kind}`)
  if (Date.parse(certificate.validFrom) > now * 1000 || Date.parse(certificate.validTo) < now * 1000)
    find('certificate-expired', member.name, `${certificate.validFrom} to ${certificate.validTo}`)
}
