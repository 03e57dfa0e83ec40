import { describe, expect, test } from '@jest/globals'
import { licenceIn } from '../../../actions/lib/mirror/deb-copyright.ts'

const HEAD = 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: x\n'
const files = (pattern: string, licence: string) =>
  `\nFiles: ${pattern}\nCopyright: 2001 A\nLicense: ${licence}\n The text.\n .\n More of it.\n`

describe('a machine-readable copyright file', () => {
  test.each([
    ['GPL-2', 'GPL-2.0-only'],
    ['GPL-2+', 'GPL-2.0-or-later'],
    ['LGPL-2.1+', 'LGPL-2.1-or-later'],
    ['GFDL-NIV-1.3+', 'GFDL-1.3-no-invariants-or-later'],
    ['Expat', 'MIT'],
    ['BSD-3-clause', 'BSD-3-Clause'],
    ['Apache-2', 'Apache-2.0'],
    ['GPL-1+ or Artistic', 'GPL-1.0-or-later OR Artistic-1.0-Perl'],
    ['GPL-2+ or AFL-2.1, and Expat', '(GPL-2.0-or-later OR AFL-2.1) AND MIT'],
    ['MIT/X11', 'MIT'],
    ['OpenLDAP-2.8 and FTL', 'OLDAP-2.8 AND FTL'],
    ['GPL-2+ or Other, and Expat', 'GPL-2+ or Other, and Expat'],
    ['GPL-2+ or MPL-2.0, and Expat', '(GPL-2.0-or-later OR MPL-2.0) AND MIT'],
    ['GPL-3+ with Bison exception', 'GPL-3.0-or-later WITH Bison-exception-2.2'],
    ['GPL-2+ with OpenSSL exception', 'GPL-2+ with OpenSSL exception'],
    ['OpenSSH', 'OpenSSH'],
  ])('%s is %s', (said, licence) => {
    expect(licenceIn(`${HEAD}${files('*', said)}${files('debian/*', 'ISC')}`)).toBe(licence)
  })

  test('without one for all files, all together', () => {
    expect(licenceIn(`${HEAD}${files('src/*', 'GPL-2')}${files('lib/*\n  doc/*', 'Expat or Zlib')}`)).toBe(
      'GPL-2.0-only AND (MIT OR Zlib)',
    )
    const many = ['ISC', 'MIT', 'Zlib', 'GPL-2', 'GPL-3', 'CC0-1.0'].map((name) => files(`${name}/*`, name))
    expect(licenceIn(`${HEAD}${many.join('')}`)).toBe('NOASSERTION')
  })

  test('a text that is only told apart from others by a paragraph of its own is none of the files', () => {
    expect(licenceIn(`${HEAD}${files('*', 'ISC')}\nLicense: GPL-2\n Text\n`)).toBe('ISC')
  })
})

describe('one in free form', () => {
  const points = (more: string) => `This is x.\n\n${more}\nOn Debian systems, see /usr/share/common-licenses/`

  test('states a licence when it only points to its text', () => {
    const later =
      'under the GPL as published by the FSF; either version 2, or (at your option) any\nlater version.'
    expect(licenceIn(`${points(later)}GPL-2'.\n`)).toBe('GPL-2.0-or-later')
    expect(licenceIn(`${points('Apache License')}Apache-2.0.\n`)).toBe('Apache-2.0')
  })

  test('states none when it is vague, or says more', () => {
    expect(licenceIn(`${points('version 2')}GPL-2\n`)).toBe('NOASSERTION')
    expect(licenceIn(`${points('any later version')}GPL\n`)).toBe('NOASSERTION')
    expect(licenceIn(`${points('any later version; parts are BSD')}GPL-2\n`)).toBe('NOASSERTION')
    expect(licenceIn(`${points('any later version')}GPL-2 /usr/share/common-licenses/LGPL-2\n`)).toBe(
      'NOASSERTION',
    )
    expect(licenceIn('')).toBe('NOASSERTION')
  })
})
