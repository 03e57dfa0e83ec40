import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { run } from '../../../actions/lib/process/command.ts'
import { type CallingOptions, checkout, runText } from '../../fixtures/workflow-runs.ts'
import { node24 } from '../emulator/step.ts'
import { RunnerMachine } from './machine.ts'
import type { RunResult } from './run.ts'

export const PRODUCT = 'someone/tiny'

/** Somebody's repository, whose workflows use the actions and workflows of this one as `org/appliance`. */
export class Product implements AsyncDisposable {
  readonly #base: string

  private constructor(base: string) {
    this.#base = base
  }

  get folder(): string {
    return join(this.#base, 'product')
  }

  /**
   * Locks it, too, as on a laptop.
   *
   * @param files path → text, `appliance.yml` among them
   * @param environment that locking needs
   */
  static async create(
    files: Record<string, string>,
    environment: Record<string, string> = {},
  ): Promise<Product> {
    const product = new Product(await mkdtemp('/tmp/appliance-product-'))
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(product.folder, path)), { recursive: true })
      await writeFile(join(product.folder, path), text)
    }
    const lock = [resolve('dist/cli/index.js'), 'lock', '--working-directory', product.folder]
    await run(node24, lock, { env: { APPLIANCE_CACHE: 'off', GITHUB_ACTIONS: undefined, ...environment } })
    await rm(join(product.folder, 'build'), { recursive: true, force: true })
    return product
  }

  /** Runs a workflow of this one job, `appliance`, by default on a runner that holds nothing and is thrown away. */
  async runs(job: Record<string, unknown>, options: Partial<CallingOptions> = {}): Promise<RunResult> {
    await using machine = await RunnerMachine.create({ APPLIANCE_CACHE: 'off' })
    return await runText(job, {
      repository: { name: PRODUCT, folder: this.folder },
      machineFor: async () => machine,
      others: { 'org/appliance': resolve('.') },
      substitutes: { 'actions/checkout': checkout(this.folder) },
      ...options,
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#base, { recursive: true, force: true })
  }
}
