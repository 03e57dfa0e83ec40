import { NOASSERTION } from '../lock/lock.ts'

/** More licences than this tell nobody anything about the package. */
const MOST = 5
const LONGEST = 200

/**
 * The licence that a package's `copyright` file states: an SPDX expression where its words have one, else its own
 * words, else NOASSERTION. That of `Files: *` counts for the package; without one, all together.
 *
 * @see https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
 */
export function licenceIn(copyright: string): string {
  const paragraphs = copyright.replaceAll('\r', '').split(/\n[ \t]*\n/)
  if (!/^Format(-Specification)?:[ \t]*\S*(copyright-format|dep5)/im.test(paragraphs[0] ?? ''))
    return pointedTo(copyright)
  const files = paragraphs.map(fieldsOf).filter(({ Files }) => Files !== undefined)
  const all = files.find(({ Files }) => Files === '*')
  const stated = all?.License ? [all.License] : files.map(({ License }) => License)
  if (stated.length === 0 || stated.some((one) => !one)) return NOASSERTION
  const licences = [...new Set(stated.map((one) => expressionOf(one!)))].sort()
  if (licences.length > MOST) return NOASSERTION
  const [only] = licences
  const text = licences.length === 1 ? only! : licences.map(grouped).join(' AND ')
  return text.length > LONGEST ? NOASSERTION : text
}

/** The first lines of a paragraph's fields; of Files, which lists patterns, all of it. */
function fieldsOf(paragraph: string): { Files?: string | undefined; License?: string | undefined } {
  const field = (name: string, rest: string) =>
    new RegExp(`^${name}:[ \\t]*(.*${rest})$`, 'im').exec(paragraph)?.[1]?.replace(/\s+/g, ' ').trim()
  return { Files: field('Files', '(?:\\n[ \\t].*)*'), License: field('License', '') }
}

/**
 * `GPL-2+ or Artistic, and BSD-3-clause` → its SPDX expression, if all its names have one; else as it stands.
 *
 * @see section "Syntax" of "License specification": `and` binds stronger than `or`, a comma before them weaker
 */
export function expressionOf(words: string): string {
  const parts = words.split(/,\s*(and|or)\s+/i)
  let expression: string | undefined
  for (let index = 0; index < parts.length; index += 2) {
    const part = conjunctionOf(parts[index]!)
    if (part === undefined) return words
    if (expression === undefined) expression = part
    else expression = `${grouped(expression)} ${parts[index - 1]!.toUpperCase()} ${grouped(part)}`
  }
  return expression ?? words
}

function conjunctionOf(words: string): string | undefined {
  const names = words.trim().split(/\s+(and|or)\s+/i)
  const written = names.map((name, index) => (index % 2 === 1 ? name.toUpperCase() : spdx(name)))
  if (written.some((name) => name === undefined)) return undefined
  // `GPL-2 and GPL-2` was two of its own words.
  return new Set(written).size === 2 && written.length === 3 ? written[0] : written.join(' ')
}

function grouped(expression: string): string {
  return / (AND|OR) /.test(expression) ? `(${expression})` : expression
}

/** Debian's short names whose SPDX identifier is another word (section "Short name"). */
const NAMES: Record<string, string> = {
  'apache-2': 'Apache-2.0',
  'apache-2-llvm-exceptions': 'Apache-2.0 WITH LLVM-exception',
  artistic: 'Artistic-1.0-Perl', // that of /usr/share/common-licenses
  'boost-1.0': 'BSL-1.0',
  cc0: 'CC0-1.0',
  expat: 'MIT',
  freetype: 'FTL',
  'mit/x11': 'MIT', // of both names, as of Expat, people mean this text
  'openldap-2.8': 'OLDAP-2.8',
  'psf-2': 'PSF-2.0',
  'sil-1.1': 'OFL-1.1',
  'wtfpl-2': 'WTFPL',
}

/** SPDX identifiers that Debian uses as they are, whatever their case. */
const SAME = new Map(
  `0BSD AFL-2.1 AFL-3.0 Apache-1.0 Apache-1.1 Apache-2.0 Artistic-2.0 Beerware BSD-2-Clause BSD-3-Clause BSD-4-Clause
   BSD-4-Clause-UC BSL-1.0 bzip2-1.0.6 CC0-1.0 CC-BY-3.0 CC-BY-4.0 CC-BY-SA-3.0 CC-BY-SA-4.0 CDDL-1.0 curl EPL-1.0
   EPL-2.0 EUPL-1.2 FSFAP FSFUL FSFULLR FTL HPND ICU ISC JSON libpng libtiff MIT MIT-0 MPL-1.1 MPL-2.0 NCSA NTP
   OFL-1.1 OLDAP-2.8 OpenSSL PostgreSQL PSF-2.0 Python-2.0 Ruby Sleepycat TCL TCP-wrappers Unlicense Vim W3C WTFPL
   X11 Zlib ZPL-2.1`
    .split(/\s+/)
    .map((name) => [name.toLowerCase(), name]),
)

/** The SPDX identifier (with its exception) of one of Debian's short names. */
function spdx(name: string): string | undefined {
  const [licence, exception] = name.split(/\s+with\s+/i)
  const id = gnu(licence!) ?? NAMES[licence!.toLowerCase()] ?? SAME.get(licence!.toLowerCase())
  if (exception === undefined || id === undefined) return id
  const known = EXCEPTIONS.find(([form]) => form.test(exception))
  return known ? `${id} WITH ${known[1]}` : undefined
}

const EXCEPTIONS: readonly [RegExp, string][] = [
  [/^bison[- ]exception$/i, 'Bison-exception-2.2'],
  [/^classpath[- ]exception$/i, 'Classpath-exception-2.0'],
  [/^font[- ]exception$/i, 'Font-exception-2.0'],
  [/^libtool[- ]exception$/i, 'Libtool-exception'],
]

/** `GPL-2+`, `LGPL-2.1`, `GFDL-NIV-1.3+`: a plus is "or any later version", none is that version only. */
function gnu(name: string): string | undefined {
  const [, kind, unvarying, version, later] =
    /^([AL]?GPL|GFDL)(-NIV)?-?v?(\d(?:\.\d)?)(\+|-or-later|-only)?$/i.exec(name) ?? []
  if (kind === undefined || (unvarying && !/^GFDL$/i.test(kind))) return undefined
  const number = version!.includes('.') ? version : `${version}.0`
  const end = later === '+' || later?.toLowerCase() === '-or-later' ? 'or-later' : 'only'
  return `${kind.toUpperCase()}-${number}${unvarying ? '-no-invariants' : ''}-${end}`
}

/** What would make a package something else than what it points to. */
const MORE =
  /\b(BSD|MIT|Expat|X11|public domain|dual|except(ion)?|Permission is hereby granted|Redistribution and use|Permission to use)\b/i
const LINES = 60

/** An older file in free form, which does nothing but point to one of the texts that every Debian has. */
function pointedTo(copyright: string): string {
  const texts = [...copyright.matchAll(/\/usr\/share\/common-licenses\/([A-Za-z0-9.-]*[A-Za-z0-9])/g)]
  const names = [...new Set(texts.map(([, name]) => name!))]
  if (names.length !== 1 || MORE.test(copyright) || copyright.split('\n').length > LINES) return NOASSERTION
  const name = names[0]!
  if (!/^(AGPL|GPL|LGPL|GFDL)-/.test(name)) return SAME.get(name.toLowerCase()) ?? NOASSERTION
  // “Version 2” alone may mean that one only, or be half of the sentence.
  return /any\s+later\s+version/i.test(copyright.replace(/\n\W*/g, ' '))
    ? (gnu(`${name}+`) ?? NOASSERTION)
    : NOASSERTION
}
