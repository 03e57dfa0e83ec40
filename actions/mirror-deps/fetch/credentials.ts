import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { ApplianceError } from '../../lib/errors/error.ts'
import type { Fault } from '../../lib/errors/fault.ts'
import type { Spec } from '../../lib/spec/spec.ts'
import { type NetrcEntry, parseNetrc } from './netrc.ts'

/** Credentials as the spec writes them: where the secrets are, not what they are. */
export type Auth = NonNullable<Spec['mirror']['file'][number]['auth']>

/** Whom they are for: they are sent to no other origin, be it an alternative address or a redirect. */
export interface Login {
  auth: Auth
  /** `https://host:port` */
  origin: string
}

/** An address's credentials, if an entry of the spec has any. */
export function loginOf({ auth, url }: { auth?: Auth | undefined; url: string }): Login | undefined {
  return auth && { auth, origin: new URL(url).origin }
}

/** What the environment lacks of the credentials of a source (`file jdk`). */
export function unsetSecrets(source: string, auth: Auth | undefined, env: NodeJS.ProcessEnv): Fault[] {
  const keys = ['password', 'token'] as const
  return keys.flatMap((key) => {
    const name = variableOf(auth?.[key])
    return name === undefined || env[name]
      ? []
      : [{ message: `${source}: auth.${key} is in the environment variable ${name}, which is not set` }]
  })
}

/** `env:NAME` → NAME */
function variableOf(reference: string | undefined): string | undefined {
  return reference?.replace(/^env:/, '')
}

/**
 * Answers for each address what to authenticate with. Secrets are looked up when they are needed and masked before
 * anybody can show them.
 */
export class Credentials {
  private readonly env: NodeJS.ProcessEnv
  private readonly mask: (secret: string) => void
  private netrc: Promise<NetrcEntry[]> | undefined

  /** @param mask told of every secret before it is used */
  constructor(env: NodeJS.ProcessEnv, mask: (secret: string) => void) {
    this.env = env
    this.mask = mask
  }

  /** The value of the header `Authorization` (RFC 7617, RFC 6750); undefined: none. */
  async authorization(url: URL, login: Login | undefined): Promise<string | undefined> {
    if (login && login.origin === url.origin) {
      const { user, password, token } = login.auth
      if (token !== undefined) return this.masked(`Bearer ${this.secret(token)}`)
      if (password !== undefined) return this.basic(user ?? '', this.secret(password))
    }
    this.netrc ??= readNetrc(this.env)
    const entries = await this.netrc
    const found = entries.find(({ machine }) => machine === undefined || machine === url.hostname)
    return found?.login || found?.password ? this.basic(found.login, found.password) : undefined
  }

  private basic(user: string, password: string): string {
    this.mask(password)
    return this.masked(`Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`)
  }

  /** Masks what follows the scheme, too: an error might show the header. */
  private masked(value: string): string {
    this.mask(value.replace(/^\S+ /, ''))
    return value
  }

  private secret(reference: string): string {
    const name = variableOf(reference)!
    const value = this.env[name]
    if (!value) throw new ApplianceError('input', `the environment variable ${name} is not set`)
    this.mask(value)
    return value
  }
}

/** `$NETRC`, else ~/.netrc; there need not be one. */
async function readNetrc(env: NodeJS.ProcessEnv): Promise<NetrcEntry[]> {
  const path = env.NETRC || join(env.HOME || homedir(), '.netrc')
  try {
    return parseNetrc(await readFile(path, 'utf8'))
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR') return []
    throw new ApplianceError('input', `${path} could not be read: ${code}`, { cause: error })
  }
}
