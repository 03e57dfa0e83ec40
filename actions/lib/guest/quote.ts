import { ApplianceError } from '../errors/error.ts'

/** One word for a POSIX shell, whatever it contains (POSIX.1-2024, Shell Command Language, 2.2.2 Single-Quotes). */
export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

/** Lines that put variables into the environment of what follows. A name the shell would not take is refused. */
export function exports(env: Readonly<Record<string, string>>): string {
  return Object.entries(env)
    .map(([name, value]) => {
      if (!/^[A-Za-z_]\w*$/.test(name))
        throw new ApplianceError('input', `${JSON.stringify(name)} is no name for an environment variable`, {
          hint: 'Use letters, digits and _, not beginning with a digit.',
        })
      return `export ${name}=${quote(value)}\n`
    })
    .join('')
}
