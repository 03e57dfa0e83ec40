import { Spec, Validation } from '@cyclonedx/cyclonedx-library'
import { expect, test } from '@jest/globals'
import parseExpression from 'spdx-expression-parse'
import type { Part } from '../../../actions/ova-pack/trust/parts.ts'
import { cycloneDx, isExpression, spdx } from '../../../actions/ova-pack/trust/sbom.ts'

const digest = 'a'.repeat(64)
/** What packages of Debian, RPM distributions and RubyGems say of themselves. */
const licences = [
  'NOASSERTION',
  'GPL-2.0-or-later WITH Bison-exception-2.2',
  'Apache-2.0 WITH LLVM-exception',
  '(MIT OR Apache-2.0) AND BSD-3-Clause',
  'GPL-2.0+',
  'BSD3',
  'MIT-1',
  'OpenLDAP-2.8',
  'GPL-2',
  'GPL-2+ or AFL-2.1, and Expat',
  'GPL-2 or AFL-2.1 and Expat',
  "Paul-Vixie's-license",
  'ASL 2.0 & <other>',
]
const parts: Part[] = licences.map((license, index) => ({
  kind: (['deb', 'rpm', 'gem', 'git', 'file'] as const)[index % 5]!,
  name: `part${index}`,
  version: `${index}:1.0+b~1`,
  arch: 'amd64',
  license,
  ...(index % 3 > 0 && { sha256: digest, origin: `https://example.test/${index}` }),
  locked: index % 2 === 0,
  ...(index % 4 > 0 && { found: index % 4 > 1 }),
  ...(index % 6 > 3 && { within: 'deb libruby3.1' }),
}))
const facts = {
  name: 'sample',
  version: '1.2.3',
  vendor: 'Example Ltd',
  disk: digest,
  os: { id: 'debian', version: '12' },
  parts,
}

test('a CycloneDX SBOM is one by the schema of CycloneDX 1.5', async () => {
  const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot5)
  expect(await validator.validate(cycloneDx(facts))).toBeNull()
  const wrong = cycloneDx({ ...facts, name: 1 as unknown as string })
  expect(await validator.validate(wrong)).not.toBeNull()
})

test('only what SPDX lists is an expression of SPDX', () => {
  expect(licences.filter(isExpression)).toEqual(licences.slice(1, 5))
})

test('every licence of an SPDX document is an expression, or one of those that it explains, word for word', () => {
  const document = JSON.parse(spdx(facts)) as {
    packages: { SPDXID: string; licenseDeclared: string }[]
    relationships: { relatedSpdxElement: string }[]
    hasExtractedLicensingInfos: { licenseId: string; extractedText: string }[]
  }
  const own = new Map(
    document.hasExtractedLicensingInfos.map(({ licenseId, extractedText }) => [licenseId, extractedText]),
  )
  expect(own.size).toBe(document.hasExtractedLicensingInfos.length)
  const said = document.packages.slice(1).map(({ licenseDeclared: declared }) => {
    if (declared === 'NOASSERTION') return declared
    if (!declared.startsWith('LicenseRef-')) return parseExpression(declared) && declared
    expect(declared).toMatch(/^LicenseRef-[A-Za-z0-9.-]+$/)
    return own.get(declared)
  })
  expect(said).toEqual(licences)
  const ids = document.packages.map(({ SPDXID }) => SPDXID)
  expect(new Set(ids).size).toBe(ids.length)
  for (const { relatedSpdxElement } of document.relationships) expect(ids).toContain(relatedSpdxElement)
})
