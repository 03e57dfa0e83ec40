import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ApplianceError } from '../../errors/error.ts'
import { type RunningCommand, start } from '../../process/command.ts'
import { findIn } from './path.ts'

/** What of git's protocol a request asks for. */
export interface GitRequest {
  service: 'info/refs' | 'git-upload-pack'
  /** Names from the root to the repository, which ends in `.git`. */
  repository: readonly string[]
}

/** As it stands in a refusal to write: `git push` shows it. */
export const READ_ONLY = 'the mirror is read-only\n'

/**
 * The smart protocol's two requests for reading; `refused` for those for writing; undefined for all others, which
 * are for files ("dumb" HTTP).
 *
 * @param target as in the request line
 * @see gitprotocol-http(5), "Smart Clients"
 */
export function gitRequest(
  method: string,
  names: readonly string[],
  target: string,
): GitRequest | 'refused' | undefined {
  const query = target.split('?')[1] ?? ''
  const [folder, last] = [names.at(-2) ?? '', names.at(-1)]
  if (last === 'refs' && folder === 'info' && names.at(-3)?.endsWith('.git') && method !== 'POST') {
    const service = new URLSearchParams(query).get('service')
    if (service === null) return undefined
    return service === 'git-upload-pack'
      ? { service: 'info/refs', repository: names.slice(0, -2) }
      : 'refused'
  }
  if (method !== 'POST' || !folder.endsWith('.git')) return undefined
  if (last === 'git-upload-pack') return { service: last, repository: names.slice(0, -1) }
  return last === 'git-receive-pack' ? 'refused' : undefined
}

/**
 * Answers by git itself, `git http-backend`. Its children end with it, it ends when the client goes away, and all
 * that still run end on disposal.
 *
 * @see git-http-backend(1); RFC 3875 (CGI)
 */
export class GitBackend implements AsyncDisposable {
  private readonly root: string
  private readonly running = new Set<RunningCommand>()
  private closed = false

  /** @param root of the tree, absolute */
  constructor(root: string) {
    this.root = root
  }

  /** False where there is no such repository: nothing has been answered then. */
  async answer(asked: GitRequest, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    if ((await findIn(this.root, [...asked.repository, 'HEAD']))?.kind !== 'file') return false
    const program = await start('git', ['http-backend'], { env: this.environment(asked, request) })
    const stop = () => void program.stop()
    this.running.add(program)
    void program.ended.catch(() => {}).then(() => this.running.delete(program))
    response.once('close', stop)
    if (this.closed || response.destroyed) stop()
    // It may end without having read everything.
    pipeline(request, program.stdin).catch(() => {})
    try {
      const { status, headers, rest } = await cgiHead(program.stdout)
      if (status === undefined)
        throw new ApplianceError('command-failed', `git http-backend: ${lastLine(program.stderrTail())}`)
      response.writeHead(status, headers)
      if (rest.length > 0) response.write(rest)
      await pipeline(program.stdout, response)
    } catch (error) {
      await program.stop()
      // A client that goes away in the middle is no failure.
      if (!response.destroyed) throw error
    }
    return true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closed = true
    await Promise.all([...this.running].map((program) => program.stop()))
  }

  private environment(asked: GitRequest, { method, headers }: IncomingMessage): NodeJS.ProcessEnv {
    const settings: [string, string][] = [
      // The tree may have been made by another user, or by root outside of a user namespace.
      ['safe.directory', '*'],
      ['http.receivepack', 'false'],
      ['uploadpack.allowFilter', 'true'],
      // Clients that know a commit by its id only, without protocol version 2.
      ['uploadpack.allowReachableSHA1InWant', 'true'],
    ]
    const protocol = headers['git-protocol']
    return {
      ...Object.fromEntries(ofAGitAround.map((name) => [name, undefined])),
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_CONFIG_COUNT: String(settings.length),
      ...Object.fromEntries(
        settings.flatMap(([key, value], index) => [
          [`GIT_CONFIG_KEY_${index}`, key],
          [`GIT_CONFIG_VALUE_${index}`, value],
        ]),
      ),
      GIT_PROJECT_ROOT: this.root,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_PROTOCOL:
        typeof protocol === 'string' && /^[a-z0-9=:.-]{1,100}$/i.test(protocol) ? protocol : undefined,
      GATEWAY_INTERFACE: 'CGI/1.1',
      REQUEST_METHOD: method,
      PATH_INFO: `/${[...asked.repository, asked.service].join('/')}`,
      QUERY_STRING: asked.service === 'info/refs' ? 'service=git-upload-pack' : '',
      CONTENT_TYPE: headers['content-type'],
      // Without it, as with a body in chunks, everything up to the end is the body.
      CONTENT_LENGTH: headers['content-length'],
      HTTP_CONTENT_ENCODING: headers['content-encoding'],
    }
  }
}

/** Variables of a git that started us (a hook, an alias), and of a web server: not about this repository. */
const ofAGitAround = [
  'GIT_DIR',
  'GIT_WORK_TREE',
  'GIT_INDEX_FILE',
  'GIT_NAMESPACE',
  'GIT_OBJECT_DIRECTORY',
  'GIT_ALTERNATE_OBJECT_DIRECTORIES',
  'GIT_CONFIG_PARAMETERS',
  'GIT_TRACE',
  'PATH_TRANSLATED',
  'REMOTE_USER',
  'REMOTE_ADDR',
]

interface CgiHead {
  /** undefined: it ended before its headers did. */
  status: number | undefined
  headers: Record<string, string>
  /** What came of the body with the headers. */
  rest: Buffer
}

/** Reads the headers of a CGI program, and not much further. @see RFC 3875, 6.2 and 6.3 */
async function cgiHead(stdout: Readable): Promise<CgiHead> {
  let text = Buffer.alloc(0)
  for await (const chunk of stdout.iterator({ destroyOnReturn: false })) {
    text = Buffer.concat([text, chunk as Buffer])
    const end = /\r?\n\r?\n/.exec(text.toString('latin1'))
    if (!end) continue
    const headers: Record<string, string> = {}
    let status = 200
    for (const line of text.subarray(0, end.index).toString('latin1').split(/\r?\n/)) {
      const [, name = '', value = ''] = /^([^:]+):\s*(.*)$/.exec(line) ?? []
      if (name.toLowerCase() === 'status') status = Number.parseInt(value, 10)
      else if (name !== '') headers[name.toLowerCase()] = value
    }
    return { status, headers, rest: text.subarray(end.index + end[0].length) }
  }
  return { status: undefined, headers: {}, rest: text }
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) || 'ended without an answer'
}
