import type { CommandResult } from '../process/command.ts'

/** What e2fsprogs can be asked about one ext4 file system, and told to do with it. */
export interface Ext4Programs {
  /** Runs a program of e2fsprogs; `args` without the device, which comes last. */
  e2fs(program: string, args: readonly string[], allowFailure?: boolean): Promise<CommandResult>
  /** What dumpe2fs(8) says of it. */
  described(): Promise<string>
  /** Runs debugfs(8) commands; complaints are errors when something is to be written. */
  debugfs(commands: readonly string[], mode?: 'read' | 'write'): Promise<string>
}

/** A number that dumpe2fs(8), or debugfs' show_super_stats, states: `Block size`. NaN where it states none. */
export function ext4Figure(described: string, name: string): number {
  return Number(new RegExp(`^${name}: +(\\d+)$`, 'm').exec(described)?.[1] ?? Number.NaN)
}

/** A word as libss, which reads debugfs' commands, takes it: in double quotes, with inner ones doubled. */
export function quoted(word: string): string {
  return `"${word.replaceAll('"', '""')}"`
}
