/** `sha256sum -c` reads it. */
export function sha256sums(files: readonly { name: string; sha256: string }[]): string {
  return files.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join('')
}

export interface HandoverFacts {
  title: string
  version: string
  /** The main file. */
  main: string
  /** SHA-256 of the signer's certificate (DER), in hex; undefined where nothing is signed. */
  fingerprint: string | undefined
}

/** A README of ten lines for customers: how to see that what they have is what was made. */
export function handoverReadme({ title, version, main, fingerprint }: HandoverFacts): string {
  const lines = [
    `${title} ${version}: is this what was made, and who made it?`,
    '',
    '  sha256sum --ignore-missing -c SHA256SUMS',
  ]
  if (fingerprint !== undefined) {
    lines.push(
      '  openssl x509 -in certificate.pem -noout -pubkey > public-key.pem',
      '  openssl dgst -sha256 -verify public-key.pem -signature SHA256SUMS.sig SHA256SUMS',
      '  openssl x509 -in certificate.pem -noout -fingerprint -sha256',
      `The last has to say ${colons(fingerprint)}; ask us by another way than this one.`,
    )
  } else
    lines.push('Compare the first line of SHA256SUMS with what we told you by another way than this one.')
  // The fingerprint has been compared by now: with the certificate a signature that is not there is a wrong one.
  const by = fingerprint === undefined ? '' : ' --certificate certificate.pem'
  if (main.endsWith('.ova'))
    lines.push(`With the appliance command, all of it at once: appliance verify ${main}${by}`)
  return `${lines.join('\n')}\n`
}

function colons(hex: string): string {
  return hex.toUpperCase().match(/../g)!.join(':')
}
