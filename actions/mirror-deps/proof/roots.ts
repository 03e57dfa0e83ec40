import { join } from 'node:path'
import { asRoot } from '../../lib/process/as-root.ts'

/** Roots that were empty, into which the mirror's packages have been installed: what else is to be proved, is in them. */
export class ProofRoots implements AsyncDisposable {
  private readonly directory: string
  private readonly made = new Set<string>()

  constructor(directory: string) {
    this.directory = directory
  }

  /**
   * Where the root of some repositories is to lie.
   *
   * @param tree their folder in the tree: `deb`, `tools/deb`
   */
  place(tree: string): string {
    return join(this.directory, tree.replaceAll('/', '-'))
  }

  keep(tree: string): void {
    this.made.add(tree)
  }

  /** The root, where all has been installed into it. */
  get(tree: string): string | undefined {
    return this.made.has(tree) ? this.place(tree) : undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await asRoot('rm', ['-rf', this.directory], {})
  }
}
