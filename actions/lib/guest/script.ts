import { exports, quote } from './quote.ts'

/** A command line on its way into the guest. */
export interface Script {
  /** What ssh is given: a fixed frame. Programs in the guest and on this computer can read it, so it tells nothing. */
  remote: string
  /** What comes first on its standard input; the command's own input follows. */
  text: Buffer
}

/**
 * Wraps a command line so that neither it nor its environment, where secrets are, is among any program's arguments:
 * a shell in the guest reads it from its standard input, to the byte, and evaluates it.
 *
 * The frame first says its process id (also its process group's, since sshd gives each session its own) on standard
 * error, as one line that begins with `token`: that is how a command that takes too long is found and killed. The
 * command runs in a subshell, so that one killed by a signal has a status like any other.
 *
 * @param as the user to be, through runuser for root, through sudo for others
 * @param loggedInAs the user ssh logs in as
 */
export function script(
  commandLine: string,
  options: { env?: Readonly<Record<string, string>>; as?: string; loggedInAs: string; token: string },
): Script {
  const { env = {}, as, loggedInAs, token } = options
  const other = as !== undefined && as !== loggedInAs
  const text = Buffer.from(`${other ? homeOf(as) : ''}${exports(env)}${commandLine}\n`)
  const evaluate = `(eval "$(head -c ${text.length})")`
  const frame = `echo ${token} $$ >&2; exec ${other ? become(as, loggedInAs) : ''}/bin/sh -c ${quote(evaluate)}`
  return { remote: `exec /bin/sh -c ${quote(frame)}`, text }
}

function become(as: string, loggedInAs: string): string {
  return loggedInAs === 'root' ? `runuser -u ${quote(as)} -- ` : `sudo -n -u ${quote(as)} -- `
}

/** Neither runuser -u nor sudo gives the user's own home in every distribution. */
function homeOf(user: string): string {
  const home = `"$(getent passwd ${quote(user)} | cut -d: -f6)"`
  return `export HOME=${home} USER=${quote(user)} LOGNAME=${quote(user)}\ncd "$HOME" 2>/dev/null || cd /\n`
}

/** Takes the frame's line out of what comes on standard error; the rest is the command's own. */
export class Announcement {
  readonly #token: string
  #head: string | undefined = ''
  /** The process group of the command, once it is known. */
  group: number | undefined

  constructor(token: string) {
    this.#token = token
  }

  /** Gives what of this piece belongs to the command. */
  take(piece: string): string {
    if (this.#head === undefined) return piece
    this.#head += piece
    const found = new RegExp(`^([\\s\\S]*?)${this.#token} (\\d+)\\n`).exec(this.#head)
    if (!found) return ''
    this.group = Number(found[2])
    const rest = found[1]! + this.#head.slice(found[0].length)
    this.#head = undefined
    return rest
  }

  /** What was held back while the line was awaited: all there is when it never came. */
  rest(): string {
    const held = this.#head ?? ''
    this.#head = undefined
    return held
  }
}
