import parseExpression from 'spdx-expression-parse'
import { uuidOf } from '../../lib/disk/uuid.ts'
import { sha256 } from '../../lib/files/digest.ts'
import { NOASSERTION } from '../../lib/lock/lock.ts'
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
    ...(part.license !== NOASSERTION && { licenses: [license(part.license)] }),
    purl: purl(part, os),
    properties: [
      { name: 'appliance:locked', value: String(part.locked) },
      ...(part.within === undefined ? [] : [{ name: 'appliance:part-of', value: part.within }]),
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

/** Whether a text is one of SPDX' expressions: identifiers of its list, and exceptions, joined by AND, OR, WITH. */
export function isExpression(text: string): boolean {
  try {
    parseExpression(text)
    return true
  } catch {
    return false
  }
}

/** Ids for licences that SPDX does not list: no two texts share one, as `GPL-2, MIT` and `GPL-2+ MIT` would. */
class OwnLicences {
  readonly #ids = new Map<string, string>()

  idOf(text: string): string {
    const known = this.#ids.get(text)
    if (known !== undefined) return known
    const plain = `LicenseRef-${text.replaceAll(/[^A-Za-z0-9.-]+/g, '-')}`
    const taken = [...this.#ids.values()].includes(plain)
    const id = taken ? `${plain}-${sha256(text).slice(0, 8)}` : plain
    this.#ids.set(text, id)
    return id
  }

  infos(): object[] {
    return [...this.#ids].map(([text, licenseId]) => ({ licenseId, extractedText: text, name: text }))
  }
}

/**
 * SPDX 2.3.
 *
 * @see https://spdx.github.io/spdx-spec/v2.3/
 */
export function spdx(facts: SbomFacts): string {
  const { name, version, vendor, disk, os, parts } = facts
  const own = new OwnLicences()
  const declared = (text: string) => (text === NOASSERTION || isExpression(text) ? text : own.idOf(text))
  const packages = parts.map((part, index) => ({
    SPDXID: `SPDXRef-part-${index + 1}`,
    name: part.name,
    versionInfo: part.version,
    downloadLocation: part.origin && /^\w+:\/\//.test(part.origin) ? part.origin : NOASSERTION,
    filesAnalyzed: false,
    ...(part.sha256 &&
      part.kind !== 'git' && { checksums: [{ algorithm: 'SHA256', checksumValue: part.sha256 }] }),
    licenseConcluded: NOASSERTION,
    licenseDeclared: declared(part.license),
    copyrightText: NOASSERTION,
    externalRefs: [
      {
        referenceCategory: 'PACKAGE-MANAGER',
        referenceType: 'purl',
        referenceLocator: purl(part, os),
      },
    ],
    ...commentOn(part),
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
        downloadLocation: NOASSERTION,
        filesAnalyzed: false,
        checksums: [{ algorithm: 'SHA256', checksumValue: disk }],
        licenseConcluded: NOASSERTION,
        licenseDeclared: NOASSERTION,
        copyrightText: NOASSERTION,
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
    ...(own.infos().length > 0 && { hasExtractedLicensingInfos: own.infos() }),
  })
}

function commentOn({ locked, found, within }: Part): { comment?: string } {
  const part = within === undefined ? '' : `part of ${within}`
  if (locked && found === false)
    return { comment: `in the lock, not on the disk${part && `, which has ${part}`}` }
  if (!locked) return { comment: part || 'on the disk, not in the lock' }
  return {}
}

function json(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
