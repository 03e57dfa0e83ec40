/** What ~/.netrc says of one host. */
export interface NetrcEntry {
  /** undefined: the `default` entry, for all hosts not named before it. */
  machine: string | undefined
  login: string
  password: string
}

/**
 * The entries of a netrc file: words between blanks, in quotation marks if need be; `macdef` goes on to the next
 * empty line; lines that begin with a `#` are comments.
 *
 * @see netrc(5) and curl's lib/netrc.c
 */
export function parseNetrc(text: string): NetrcEntry[] {
  const plain = text.replace(/^\s*macdef\b(.*\S.*\n?)*/gm, '\n').replace(/^\s*#.*/gm, '')
  const words = [...plain.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(
    ([, quoted, bare]) => bare ?? quoted!.replace(/\\(.)/g, '$1'),
  )
  const entries: NetrcEntry[] = []
  for (let index = 0; index < words.length; index++) {
    const word = words[index]
    if (word === 'machine') entries.push({ machine: words[++index], login: '', password: '' })
    else if (word === 'default') entries.push({ machine: undefined, login: '', password: '' })
    else if (word === 'login' || word === 'password') {
      const entry = entries.at(-1)
      const value = words[++index] ?? ''
      if (entry) entry[word] = value
    } else if (word === 'account') index++
  }
  return entries
}
