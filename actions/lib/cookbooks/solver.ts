import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ApplianceError, CommandFailed, type ErrorCode } from '../errors/error.ts'
import { refuse } from '../errors/fault.ts'
import type { CookbookFile } from '../spec/cookbook-file.ts'
import { runToolsRuby } from '../tools/ruby.ts'
import type { ToolsRoot } from '../tools/tools.ts'
import { BERKSFILE_PROGRAM } from './berksfile-program.ts'
import { POLICYFILE_PROGRAM } from './policyfile-program.ts'

interface Fault {
  code: ErrorCode
  message: string
  line: number | null
}

/** Where Berkshelf and chef-cli work on one file: their home, their lock, their store of cookbooks. */
export class Solver {
  readonly directory: string
  private readonly file: CookbookFile
  private readonly root: Pick<ToolsRoot, 'directory'>
  private readonly signal: AbortSignal

  constructor(
    file: CookbookFile,
    options: { directory: string; root: Pick<ToolsRoot, 'directory'>; signal: AbortSignal },
  ) {
    this.file = file
    this.directory = options.directory
    this.root = options.root
    this.signal = options.signal
  }

  /** The lock that the program begins with, and writes. */
  get lock(): string {
    return join(this.directory, this.file.kind === 'berksfile' ? 'Berksfile.lock' : 'Policyfile.lock.json')
  }

  /** git's configuration, for who leads it elsewhere. */
  get gitConfig(): string {
    return join(this.directory, 'gitconfig')
  }

  /**
   * The folder in which the program finds a cookbook of this version (from git: of this commit) and does not ask for it.
   *
   * @param url the supermarket's, of the tarball
   */
  place(name: string, of: { version: string; url: string } | { commit: string }): string {
    const named =
      'commit' in of
        ? `${name}-${of.commit}`
        : this.file.kind === 'berksfile'
          ? `${name}-${of.version}`
          : `${name}-${of.version}-${new URL(of.url).hostname}`
    return join(this.store, named)
  }

  private get store(): string {
    return join(this.directory, 'shelf', 'cookbooks')
  }

  /**
   * Asks the real tool.
   *
   * @throws InputError with the line of the file; ApplianceError `unsatisfiable` in the solver's words, `unreachable`,
   *   `stale`
   */
  async ask(what: 'sources' | 'solve' | 'vendor', destination?: string): Promise<unknown> {
    const scratch = join(this.directory, 'tmp')
    for (const folder of [this.store, scratch]) await mkdir(folder, { recursive: true })
    const program = this.file.kind === 'berksfile' ? BERKSFILE_PROGRAM : POLICYFILE_PROGRAM
    const to = destination === undefined ? [] : [destination]
    let printed: string
    try {
      const { stdout } = await runToolsRuby(this.root, program, [what, this.file.path, this.lock, ...to], {
        home: this.directory,
        signal: this.signal,
        env: {
          // Berkshelf leaves its temporary folders behind.
          TMPDIR: scratch,
          BERKSHELF_PATH: join(this.directory, 'shelf'),
          COOKBOOKS: this.store,
          GIT_CONFIG_GLOBAL: this.gitConfig,
          GIT_CONFIG_NOSYSTEM: '1',
          GIT_TERMINAL_PROMPT: '0',
        },
      })
      printed = stdout.trim().split('\n').at(-1) ?? ''
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error
      const said = error.stderrTail.trim().split('\n')[0]
      throw new ApplianceError('unsatisfiable', `${this.file.name}: ${said}`, { cause: error })
    }
    const answer: unknown = JSON.parse(printed)
    const fault = (answer as { fault?: Fault }).fault
    if (!fault) return answer
    throw this.fault(fault)
  }

  private fault({ code, message, line }: Fault): ApplianceError {
    const text = message
      .split('\n')
      .map((one) =>
        one
          .trim()
          .replace(/^- /, '')
          .replace(/`([^`']*)[`']/g, "'$1'"),
      )
      .filter(
        (one) => one !== '' && !/^(Unable to find a solution for demands|Relevant Code|Backtrace)/.test(one),
      )
      .join(' ')
      .replaceAll(`${dirname(this.file.path)}/`, '')
    const { name } = this.file
    if (code === 'input') refuse([{ file: name, ...(line === null ? {} : { line }), message: text }])
    const tool = this.file.kind === 'berksfile' ? 'Berkshelf' : 'chef-cli'
    return new ApplianceError(code, `${name}: ${tool}: ${text}`, {
      hint: hints[code] ?? hints.unsatisfiable!,
    })
  }
}

const hints: Partial<Record<ErrorCode, string>> = {
  stale: 'Run `appliance lock`.',
  unreachable: 'Is the address of its source right, and can this computer reach it?',
  unsatisfiable: 'Look at the names and versions in it, and at what its source has.',
}
