import { ApplianceError } from '../errors/error.ts'
import { type Ext4Programs, ext4Figure } from './ext4-programs.ts'

/** Replays the journal and mends what an unclean shutdown left; then nothing may be left to mend. */
export async function mendExt4(root: Ext4Programs): Promise<void> {
  const { status, stdout } = await root.e2fs('e2fsck', ['-f', '-p'], true)
  if (status > 1) throw damaged('before sealing', stdout)
  await assertClean(root, 'before sealing')
}

async function assertClean(root: Ext4Programs, when: string): Promise<void> {
  const { status, stdout } = await root.e2fs('e2fsck', ['-f', '-n'], true)
  if (status !== 0) throw damaged(when, stdout)
}

function damaged(when: string, output: string): ApplianceError {
  const words =
    output.split('\n').find((line) => /[?]|error|UNEXPECTED/i.test(line)) ?? output.trim().split('\n').at(-1)
  return new ApplianceError('check-failed', `the root file system is damaged ${when}: ${words}`, {
    hint: 'Run chef-provision again: the machine has to be shut down in order before its disk is packed.',
  })
}

/** A new journal of the same size: the old one holds the build's names and folders. */
export async function renewJournal(root: Ext4Programs): Promise<void> {
  const described = await root.described()
  const bytes = ext4Figure(described, 'Total journal blocks') * ext4Figure(described, 'Block size')
  const mebibytes = bytes / 2 ** 20
  if (!Number.isInteger(mebibytes)) return
  await root.e2fs('tune2fs', ['-O', '^has_journal'])
  await root.e2fs('tune2fs', ['-O', 'has_journal', '-J', `size=${mebibytes}`])
}

/**
 * e2fsck writes every folder anew, without the names of what was removed from it, and punches holes into the disk
 * where blocks are free. The superblock's times are set last.
 */
export async function discardFreeSpace(root: Ext4Programs): Promise<void> {
  // Two runs, since blocks that the first sets free are not yet among those it discards.
  for (const purpose of [['-D'], ['-E', 'discard']]) {
    const { status, stdout } = await root.e2fs('e2fsck', ['-f', '-y', ...purpose], true)
    if (status > 1) throw damaged('after generalising', stdout)
  }
  const times = ['lastcheck', 'mtime', 'wtime'].map((field) => `set_super_value ${field} 20000101000000`)
  await root.debugfs([...times, 'set_super_value kbytes_written 0', 'set_super_value mnt_count 0'], 'write')
  await assertClean(root, 'after generalising')
}
