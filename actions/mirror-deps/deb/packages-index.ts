import { run } from '../../lib/process/command.ts'

/** apt's own reader of indexes, however they are packed (apt-helper(1), `cat-file`). */
const HELPER = '/usr/lib/apt/apt-helper'

const DIGEST = '\nSHA256: '

/**
 * Tells of packages in a `Packages`, `Packages.gz` or `Packages.xz` file, one after the other: an index of all of
 * Debian is 50 MB and more, unpacked.
 *
 * @param isWanted by a package's SHA-256: the fields of others are not even looked at
 * @see deb-control(5): a stanza ends at an empty line; a line that begins with a blank continues a field
 */
export async function readIndex(
  path: string,
  isWanted: (sha256: string) => boolean,
  onStanza: (fields: Readonly<Record<string, string>>) => void,
  signal: AbortSignal,
): Promise<void> {
  let rest = ''
  const tell = (stanza: string) => {
    const at = stanza.indexOf(DIGEST)
    if (at >= 0 && isWanted(stanza.slice(at + DIGEST.length, at + DIGEST.length + 64)))
      onStanza(fieldsOf(stanza))
  }
  await run(HELPER, ['cat-file', path], {
    signal,
    keep: 0,
    onOutput: (text, stream) => {
      if (stream === 'stderr') return
      const stanzas = (rest + text).split('\n\n')
      rest = stanzas.pop()!
      for (const stanza of stanzas) tell(stanza)
    },
  })
  tell(rest)
}

/** The first line of each field: all that tells packages apart is one line. */
export function fieldsOf(stanza: string): Record<string, string> {
  const fields: Record<string, string> = {}
  for (const [, name, value] of stanza.matchAll(/^([A-Za-z][\w-]*):[ \t]*(.*)$/gm)) fields[name!] = value!
  return fields
}
