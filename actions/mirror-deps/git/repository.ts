import { rm } from 'node:fs/promises'
import { type CommandResult, run } from '../../lib/process/command.ts'

/** Nothing of the user's configuration, no hooks, no questions; their netrc and SSH agent may answer for them. */
export const environment: NodeJS.ProcessEnv = {
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_TERMINAL_PROMPT: '0',
  GIT_ASKPASS: '/bin/false',
  GIT_SSH_COMMAND: process.env.GIT_SSH_COMMAND ?? 'ssh -o BatchMode=yes',
  GIT_ADVICE: '0',
  // A path or a bundle of this computer may belong to another user.
  GIT_CONFIG_COUNT: '1',
  GIT_CONFIG_KEY_0: 'safe.directory',
  GIT_CONFIG_VALUE_0: '*',
}

/** A bare repository of ours: made empty, with neither configuration nor hooks of anybody else. */
export class Repository {
  readonly directory: string
  private readonly signal: AbortSignal

  constructor(directory: string, signal: AbortSignal) {
    this.directory = directory
    this.signal = signal
  }

  /** Makes it anew, empty. */
  static async init(directory: string, signal: AbortSignal): Promise<Repository> {
    await rm(directory, { recursive: true, force: true })
    const args = ['init', '-q', '--bare', '--template=', '--initial-branch=main', directory]
    await run('git', args, { env: environment, signal })
    return new Repository(directory, signal)
  }

  /** What a git command prints. Throws CommandFailed. */
  async git(args: readonly string[], input?: string): Promise<string> {
    return (await this.command(args, { ...(input === undefined ? {} : { input }) })).stdout
  }

  /** What a git command prints, or undefined where it fails. */
  async tried(args: readonly string[]): Promise<string | undefined> {
    const { status, stdout } = await this.command(args, { allowFailure: true })
    return status === 0 ? stdout : undefined
  }

  /** The id of an object, or undefined. */
  async idOf(expression: string): Promise<string | undefined> {
    const args = ['rev-parse', '-q', '--verify', '--end-of-options', expression]
    return (await this.tried(args))?.trim() || undefined
  }

  private command(
    args: readonly string[],
    options: { input?: string; allowFailure?: boolean },
  ): Promise<CommandResult> {
    return run('git', ['-C', this.directory, ...args], {
      env: environment,
      signal: this.signal,
      keep: 256 << 20,
      ...options,
    })
  }
}
