import { ApplianceError, CommandFailed } from '../../lib/errors/error.ts'

/** What apt told us of a signature, and what a user can do about it. */
interface Trouble {
  form: RegExp
  says: (key: string, keyring: string) => string
  hint: string
}

const KEY = '[0-9A-F]{8,40}'
/** apt's gpgv method (methods/gpgv.cc), most telling first. */
const TROUBLES: readonly Trouble[] = [
  {
    form: new RegExp(`(?:BADSIG) (${KEY})`),
    says: (key) => `its signature by key ${key} is not of these bytes: somebody changed them`,
    hint: 'Do not use it. A broken proxy or mirror may be the reason: try another address of the archive.',
  },
  {
    form: new RegExp(`EXPKEYSIG (${KEY})`),
    says: (key, keyring) => `the key ${key} that signs it has expired, as ${keyring} has it`,
    hint: 'Get the newer keyring of that archive (for Debian: the package debian-archive-keyring) and name it in signed_by.',
  },
  {
    form: new RegExp(`REVKEYSIG (${KEY})`),
    says: (key) => `the key ${key} that signs it was revoked by its owner`,
    hint: 'Get the newer keyring of that archive from its owner and name it in signed_by.',
  },
  {
    form: new RegExp(`(?:NO_PUBKEY|Missing key) (${KEY})`),
    says: (key, keyring) => `it is signed by key ${key}, which is not in ${keyring}`,
    hint: 'Does signed_by name the keyring of that archive? Get that key from its owner, check its fingerprint, and name the file in signed_by.',
  },
  {
    form: /is not signed|NODATA|Clearsigned file isn't valid|no digest could be/,
    says: () => 'it is not signed',
    hint: 'Is uri the address of the archive, and not of a web page about it? Unsigned archives are not taken.',
  },
  {
    form: /Hash Sum mismatch|unexpected size/i,
    says: () => 'an index is not the one that was signed',
    hint: 'It may be changing just now, or somebody else answers for it: run the same command again, then try another address of the archive.',
  },
]

/** What apt adds to every failure. */
const CONSEQUENCE = /Some index files failed to download/

/**
 * apt's failure to get indexes in one line: which source, and what is wrong with it (a key by its id).
 *
 * @returns what to throw
 */
export function explained(
  what: string,
  error: unknown,
  sources: readonly { name: string; uri: string; signedBy: string }[] = [],
): unknown {
  if (!(error instanceof CommandFailed)) return error
  const lines = error.stderrTail.split('\n').map((line) => line.trim())
  const known = ofSignature(lines, sources) ?? tooOld(lines, sources)
  if (known) return new ApplianceError(known.code, known.message, { hint: known.hint, cause: error })
  const said = lines.filter((line) => /^(E: |W: .*(Failed|key|sign))/.test(line))
  const reasons = (said.length > 0 ? said : lines).filter((line) => line !== '' && !CONSEQUENCE.test(line))
  const words = reasons
    .slice(0, 12)
    .map((line) => line.replace(/^[EW]: /, ''))
    .join('; ')
  const whose = new Set(reasons.flatMap((line) => sourceOf(line, sources)?.name ?? []))
  const where = whose.size > 0 ? `deb ${[...whose].join(', ')}: ` : ''
  return new ApplianceError('unreachable', `${where}${what}: ${words}`, {
    hint: /\b40[13]\b/.test(words)
      ? 'Does it want credentials? Put them into ~/.netrc.'
      : 'Look at mirror.deb[…]: uri, suites and signed_by; and at the network.',
    cause: error,
  })
}

interface Known {
  code: 'digest-mismatch' | 'unreachable'
  message: string
  hint: string
}

function ofSignature(
  lines: readonly string[],
  sources: readonly { name: string; uri: string; signedBy: string }[],
): Known | undefined {
  // What could not be had at all is not signed either, apt says then.
  if (lines.some((line) => /Failed to fetch \S+ +[45]\d\d /.test(line))) return undefined
  const faults: string[] = []
  let hint: string | undefined
  for (const trouble of TROUBLES)
    for (const line of lines) {
      const match = trouble.form.exec(line)
      if (!match) continue
      const source = sourceOf(line, sources)
      const name = source ? `deb ${source.name}: ` : ''
      // apt says the same in several ways; the most telling is said once.
      if (faults.some((fault) => fault.startsWith(name))) continue
      hint ??= trouble.hint
      const says = trouble.says(match[1] ?? '', source?.signedBy ?? 'its keyring')
      faults.push(`${name}${fileOf(line)} cannot be trusted: ${says}`)
    }
  if (hint === undefined) return undefined
  return { code: 'digest-mismatch', message: faults.join('; '), hint }
}

/** `Release file for … is expired (invalid since 2d 3h)`, or of a day that has not come yet. */
function tooOld(
  lines: readonly string[],
  sources: readonly { name: string; uri: string }[],
): Known | undefined {
  const line = lines.find((one) => /Release file for \S+ is (expired|not valid yet)/.test(one))
  if (line === undefined) return undefined
  const source = sourceOf(line, sources)
  return {
    code: 'unreachable',
    message: `${source ? `deb ${source.name}: ` : ''}${line.replace(/^[EW]: /, '')}`,
    hint: 'Is the clock of this computer right? Otherwise that mirror is no longer kept up: name another address of the archive.',
  }
}

/** The source whose address the line has; an address may begin like another one, so the longest counts. */
function sourceOf<S extends { uri: string }>(line: string, sources: readonly S[]): S | undefined {
  const bare = (uri: string) => uri.replace(/^file:\/\//, 'file:').replace(/\/$/, '')
  return sources.toSorted((a, b) => b.uri.length - a.uri.length).find(({ uri }) => line.includes(bare(uri)))
}

/** The file the line is about, by its address. */
function fileOf(line: string): string {
  const [, quoted] = /[’'‘]([a-z+]+:\S+ [^’'‘]*)[’'‘]/.exec(line) ?? []
  const [, plain] =
    /([a-z+]+:\/?\/?\S+( \S+ (?:In)?Release)?)/.exec(line.replace(/^[EW]: (GPG error: )?/, '')) ?? []
  return (quoted ?? plain ?? 'its index').replace(/[:,;]$/, '')
}
