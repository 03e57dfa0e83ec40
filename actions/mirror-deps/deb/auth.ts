import { ApplianceError } from '../../lib/errors/error.ts'
import { Credentials } from '../fetch/credentials.ts'

/**
 * What the user's netrc file has for these addresses, as apt reads it: for each one with its scheme, since apt sends
 * none over plain HTTP unless it is told so.
 *
 * @throws ApplianceError `input` for words that apt has no way to write
 * @see apt_auth.conf(5)
 */
export async function aptAuth(uris: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  const credentials = new Credentials(env, () => {})
  const lines: string[] = []
  for (const url of uris.map((uri) => new URL(uri)).filter(({ protocol }) => /^https?:$/.test(protocol))) {
    const [, basic] = /^Basic (\S+)$/.exec((await credentials.authorization(url, undefined)) ?? '') ?? []
    if (basic === undefined) continue
    const [, user, password] = /^([^:]*):([\s\S]*)$/.exec(Buffer.from(basic, 'base64').toString()) ?? []
    if (/\s/.test(`${user}${password}`))
      throw new ApplianceError(
        'input',
        `the credentials for ${url.host} have a blank in them, which apt cannot read`,
      )
    lines.push(`machine ${url.origin}/ login ${user} password ${password}\n`)
  }
  return [...new Set(lines)].join('')
}
