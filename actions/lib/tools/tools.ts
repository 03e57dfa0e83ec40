/**
 * The tools root: a small Debian made from the mirror alone, pinned in the lock, the home of every build tool
 * whose version shows in the result (DESIGN §6).
 */
export interface ToolsRoot {
  /** The root's folder; digest-named, under `build/tools/`. */
  readonly directory: string
  /** Digest of everything it is made of. */
  readonly key: string
  /**
   * Runs one of its programs *on this computer's files* through the root's own dynamic loader: mke2fs, debugfs,
   * e2fsck, grub-mkimage, mcopy, sfdisk … Throws CommandFailed.
   */
  run(
    program: string,
    args: readonly string[],
    options?: import('../process/command.ts').CommandOptions,
  ): Promise<import('../process/command.ts').CommandResult>
}
