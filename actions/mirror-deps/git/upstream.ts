import { join } from 'node:path'
import { ApplianceError, CommandFailed } from '../../lib/errors/error.ts'
import { Repository } from './repository.ts'

/** A tag, branch or commit as upstream has it now. */
export interface Found {
  kind: 'tag' | 'branch' | 'commit'
  commit: string
  /** The id of an annotated tag's own object. */
  tag: string | undefined
}

/** A repository somewhere else, and ours into which its objects are brought. */
export class Upstream {
  readonly name: string
  /** Address, path or bundle file. */
  readonly from: string
  readonly here: Repository

  private constructor(name: string, from: string, here: Repository) {
    this.name = name
    this.from = from
    this.here = here
  }

  static async open(name: string, from: string, work: string, signal: AbortSignal): Promise<Upstream> {
    const here = await Repository.init(join(work, `${name}.git`), signal)
    await here.git(['remote', 'add', 'upstream', from])
    return new Upstream(name, from, here)
  }

  /**
   * Brings what `ref` leads to, and no more where upstream can be asked for that alone.
   *
   * @throws ApplianceError `input` when there is no such ref, `unreachable`
   */
  async fetch(ref: string): Promise<Found> {
    for (const kind of ['tag', 'branch'] as const) {
      const full = `refs/${kind === 'tag' ? 'tags' : 'heads'}/${ref}`
      if (!(await this.has(full))) continue
      await this.bring([`+${full}:${full}`])
      return await this.found(kind, full)
    }
    if (/^[0-9a-f]{40}$/.test(ref)) {
      if (await this.fetchCommit(ref)) return { kind: 'commit', commit: ref, tag: undefined }
    } else {
      // An abbreviated commit, or an expression such as HEAD~1: only git itself can say, with everything at hand.
      await this.everything()
      const commit = await this.here.idOf(`${ref}^{commit}`)
      if (commit) return { kind: 'commit', commit, tag: undefined }
    }
    throw new ApplianceError('input', `git ${this.name}: ${this.from} has no tag, branch or commit ${ref}`, {
      hint: 'Look at the spelling of ref; `git ls-remote` shows what there is.',
    })
  }

  /** Brings a commit by its id: alone where upstream allows that, else with all its refs. False: it has none such. */
  async fetchCommit(commit: string): Promise<boolean> {
    if ((await this.here.tried(['fetch', '-q', '--no-tags', 'upstream', commit])) === undefined)
      await this.everything()
    return (await this.here.idOf(`${commit}^{commit}`)) === commit
  }

  /** Brings an annotated tag by its id, whatever its name leads to now. */
  async fetchTag(id: string): Promise<boolean> {
    if ((await this.here.tried(['fetch', '-q', '--no-tags', 'upstream', id])) === undefined)
      await this.everything()
    return (await this.here.idOf(`${id}^{tag}`)) === id
  }

  /** What a tag or branch leads to now; undefined when it is gone. */
  async now(ref: string): Promise<string | undefined> {
    const listed = await this.listed([`refs/tags/${ref}^{}`, `refs/tags/${ref}`, `refs/heads/${ref}`])
    return listed[0]?.split('\t')[0]
  }

  private async has(ref: string): Promise<boolean> {
    return (await this.listed([ref])).some((line) => line.endsWith(`\t${ref}`))
  }

  /** Lines `ID\tREF`, a peeled tag first. */
  private async listed(patterns: readonly string[]): Promise<string[]> {
    const listed = await this.asked(['ls-remote', 'upstream', ...patterns])
    const lines = listed.split('\n').filter(Boolean)
    return lines.sort((a, b) => Number(b.endsWith('^{}')) - Number(a.endsWith('^{}')))
  }

  private async found(kind: 'tag' | 'branch', full: string): Promise<Found> {
    const id = await this.here.idOf(full)
    const commit = await this.here.idOf(`${full}^{commit}`)
    if (!id || !commit)
      throw new ApplianceError('input', `git ${this.name}: ${full} of ${this.from} leads to no commit`)
    return { kind, commit, tag: id === commit ? undefined : id }
  }

  private async everything(): Promise<void> {
    await this.bring(['+refs/*:refs/*'])
    // An empty repository has none, and a bundle need not.
    await this.here.tried(['fetch', '-q', '--no-tags', '--update-head-ok', 'upstream', '+HEAD:HEAD'])
  }

  private async bring(refspecs: readonly string[]): Promise<void> {
    await this.asked(['fetch', '-q', '--no-tags', '--update-head-ok', 'upstream', ...refspecs])
  }

  private async asked(args: readonly string[]): Promise<string> {
    try {
      return await this.here.git(args)
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error
      const said = error.stderrTail
        .trim()
        .split('\n')
        .filter(
          (line) => line !== '' && !/^(fatal: Could not read from|Please make sure|and the rep)/i.test(line),
        )
      // Nobody is ever asked at a prompt, whose failure is what git would tell.
      const asks = said.some((line) =>
        /askpass|could not read (Username|Password)|Authentication failed/i.test(line),
      )
      const why = asks ? 'it wants credentials, and has not been given the right ones' : said.at(-1)?.trim()
      throw new ApplianceError(
        'unreachable',
        `git ${this.name}: ${this.from} could not be read: ${why ?? 'git gave no reason'}`,
        {
          hint: 'Is the address right, and may this computer read it? Credentials come from ~/.netrc or the SSH agent.',
          cause: error,
        },
      )
    }
  }
}
