import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'

/** One self-hosted runner: its folders laid out as the real one lays them out. */
export class RunnerMachine implements AsyncDisposable {
  readonly base: string
  /** What else its owner put into its environment (`.env` beside the runner). */
  readonly environment: Readonly<Record<string, string>>
  /** Folder → what is in it. */
  readonly #unpacked = new Map<string, string>()

  private constructor(base: string, environment: Record<string, string>) {
    this.base = base
    this.environment = environment
  }

  /** @param parent where its folder is made; on the file system of what is to be built, so that copies are cheap */
  static async create(environment: Record<string, string> = {}, parent = '/tmp'): Promise<RunnerMachine> {
    await mkdir(parent, { recursive: true })
    const machine = new RunnerMachine(await mkdtemp(join(parent, 'runner-')), environment)
    for (const folder of [machine.temp, machine.home, join(machine.base, '_work/_tool')])
      await mkdir(folder, { recursive: true })
    return machine
  }

  get temp(): string {
    return join(this.base, '_work/_temp')
  }

  get home(): string {
    return join(this.base, 'home')
  }

  /** `_work/<repository>/<repository>`; kept from job to job, as a runner that is not thrown away keeps it. */
  workspace(repository: string): string {
    return join(this.base, '_work', basename(repository), basename(repository))
  }

  /** A repository as the runner unpacks it for `uses: owner/repo/…@ref`. */
  async unpacked(repository: string, ref: string, files: string): Promise<string> {
    const folder = join(this.base, '_work/_actions', repository, ref)
    if (this.#unpacked.get(folder) === files) return folder
    this.#unpacked.set(folder, files)
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder, { recursive: true })
    await cp(files, folder, {
      recursive: true,
      filter: (path) => !['node_modules', '.git', 'build'].includes(basename(path)) || path === files,
    })
    return folder
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.base, { recursive: true, force: true })
  }
}
