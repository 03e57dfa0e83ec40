import { uuidOf } from '../../lib/disk/uuid.ts'
import type { OsRelease } from '../os-release.ts'
import { type Part, purl } from './parts.ts'

export interface SbomFacts {
  name: string
  version: string
  vendor: string | undefined
  /** SHA-256 of the raw disk: what the appliance is. */
  disk: string
  os: OsRelease
  parts: readonly Part[]
}

/** No clock: the same disk has the same SBOM. */
const CREATED = '2000-01-01T00:00:00Z'

/**
 * CycloneDX 1.5.
 *
 * @see https://cyclonedx.org/docs/1.5/json/
 */
export function cycloneDx(facts: SbomFacts): string {
  const { name, version, vendor, disk, os, parts } = facts
  const components = parts.map((part) => ({
    type: part.kind === 'file' || part.kind === 'git' ? 'file' : 'library',
    'bom-ref': purl(part, os),
    name: part.name,
    version: part.version,
    ...(part.sha256 && part.kind !== 'git' && { hashes: [{ alg: 'SHA-256', content: part.sha256 }] }),
    ...(part.license !== 'NOASSERTION' && { licenses: [license(part.license)] }),
    purl: purl(part, os),
    properties: [
      { name: 'appliance:locked', value: String(part.locked) },
      ...(part.found === undefined ? [] : [{ name: 'appliance:on-disk', value: String(part.found) }]),
      ...(part.kind === 'git' && part.sha256
        ? [{ name: 'appliance:objects-sha256', value: part.sha256 }]
        : []),
    ],
  }))
  return json({
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    serialNumber: `urn:uuid:${uuidOf(`sbom ${disk}`)}`,
    version: 1,
    metadata: {
      component: {
        type: 'operating-system',
        'bom-ref': 'appliance',
        name,
        version,
        ...(vendor && { supplier: { name: vendor } }),
        hashes: [{ alg: 'SHA-256', content: disk }],
      },
      tools: { components: [{ type: 'application', name: 'appliance ova-pack' }] },
    },
    components,
    dependencies: [
      {
        ref: 'appliance',
        dependsOn: parts.filter(({ found }) => found !== false).map((part) => purl(part, os)),
      },
    ],
  })
}

/** An expression where the text is one, else a name: Debian's own words for licences are not SPDX'. */
function license(text: string): object {
  return isExpression(text) ? { expression: text } : { license: { name: text } }
}

/** @see SPDX 2.3, annex D: identifiers joined by AND, OR, WITH; what looks like one of SPDX' list */
export function isExpression(text: string): boolean {
  const words = text.replaceAll(/[()]/g, ' ').trim().split(/\s+/)
  const listed =
    /^(?:[A-Z][A-Za-z]*(?:-[A-Za-z]*)*-?\d+(?:\.\d+)*(?:-[A-Za-z0-9.]+)*\+?|MIT|ISC|Zlib|X11|Ruby|curl|Unlicense|PostgreSQL|OpenSSL|Vim|NCSA|Python-[\d.]+|ICU|NTP|W3C|TCL|Info-ZIP|Beerware|WTFPL|FSFAP|FSFUL|FSFULLR|0BSD|bzip2-1\.0\.6|FTL|HPND|JSON|libpng|libtiff|Sleepycat|TCP-wrappers)$/
  return words.every((word, index) => (index % 2 === 0 ? listed.test(word) : /^(?:AND|OR|WITH)$/.test(word)))
}

/**
 * SPDX 2.3.
 *
 * @see https://spdx.github.io/spdx-spec/v2.3/
 */
export function spdx(facts: SbomFacts): string {
  const { name, version, vendor, disk, os, parts } = facts
  const extracted = new Map<string, string>()
  const declared = (text: string) => {
    if (text === 'NOASSERTION' || isExpression(text)) return text
    const id = `LicenseRef-${text.replaceAll(/[^A-Za-z0-9.-]+/g, '-')}`
    extracted.set(id, text)
    return id
  }
  const packages = parts.map((part, index) => ({
    SPDXID: `SPDXRef-part-${index + 1}`,
    name: part.name,
    versionInfo: part.version,
    downloadLocation: part.origin && /^\w+:\/\//.test(part.origin) ? part.origin : 'NOASSERTION',
    filesAnalyzed: false,
    ...(part.sha256 &&
      part.kind !== 'git' && { checksums: [{ algorithm: 'SHA256', checksumValue: part.sha256 }] }),
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: declared(part.license),
    copyrightText: 'NOASSERTION',
    externalRefs: [
      {
        referenceCategory: 'PACKAGE-MANAGER',
        referenceType: 'purl',
        referenceLocator: purl(part, os),
      },
    ],
    ...(part.locked && part.found !== false
      ? {}
      : { comment: part.locked ? 'in the lock, not on the disk' : 'on the disk, not in the lock' }),
  }))
  return json({
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `${name}-${version}`,
    documentNamespace: `urn:uuid:${uuidOf(`spdx ${disk}`)}`,
    creationInfo: { created: CREATED, creators: ['Tool: appliance-ova-pack'] },
    packages: [
      {
        SPDXID: 'SPDXRef-appliance',
        name,
        versionInfo: version,
        ...(vendor && { supplier: `Organization: ${vendor}` }),
        downloadLocation: 'NOASSERTION',
        filesAnalyzed: false,
        checksums: [{ algorithm: 'SHA256', checksumValue: disk }],
        licenseConcluded: 'NOASSERTION',
        licenseDeclared: 'NOASSERTION',
        copyrightText: 'NOASSERTION',
        primaryPackagePurpose: 'OPERATING-SYSTEM',
      },
      ...packages,
    ],
    relationships: [
      {
        spdxElementId: 'SPDXRef-DOCUMENT',
        relationshipType: 'DESCRIBES',
        relatedSpdxElement: 'SPDXRef-appliance',
      },
      ...parts.flatMap((part, index) =>
        part.found === false
          ? []
          : [
              {
                spdxElementId: 'SPDXRef-appliance',
                relationshipType: 'CONTAINS',
                relatedSpdxElement: `SPDXRef-part-${index + 1}`,
              },
            ],
      ),
    ],
    ...(extracted.size > 0 && {
      hasExtractedLicensingInfos: [...extracted].map(([licenseId, text]) => ({
        licenseId,
        extractedText: text,
        name: text,
      })),
    }),
  })
}

function json(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
