/** One thing that makes a machine general again: why, and by which rules. Paths are patterns ({@link Pattern}). */
export interface Operation {
  /** As in the report: `SSH host keys`. */
  name: string
  /** What would go wrong at a customer's without it. */
  reason: string
  rules: readonly Rule[]
}

/**
 * A rule says how the disk is to be, so the same rule plans the change and proves it: it holds when there is
 * nothing left to change. `~` at the beginning of a pattern stands for every user's home.
 */
export type Rule =
  /** Nothing matches; folders go with all that is in them. `containing`: only files whose text matches. */
  | { kind: 'remove'; pattern: string; containing?: RegExp }
  /** Every regular file that matches is empty; owner and mode stay. */
  | { kind: 'empty'; pattern: string }
  /**
   * The file has this content (with `unlessThere`: it exists). Only where something matches `where`, if it is given.
   */
  | { kind: 'write'; path: string; content: string; mode: number; where?: string; unlessThere?: boolean }
  /** The path is a symbolic link to `target`. With `instead`, only a regular file is replaced by it. */
  | { kind: 'link'; path: string; target: string; where?: string; instead?: boolean }
  /** No symbolic link that matches points to a path that matches `to`. */
  | { kind: 'unlink'; pattern: string; to: RegExp }
  /** The text of every file that matches is what `change` makes of it; `change` has to be idempotent. */
  | { kind: 'edit'; pattern: string; change: (text: string) => string }

export function remove(...patterns: string[]): Rule[] {
  return patterns.map((pattern) => ({ kind: 'remove', pattern }))
}

export function removeIf(containing: RegExp, ...patterns: string[]): Rule[] {
  return patterns.map((pattern) => ({ kind: 'remove', pattern, containing }))
}

export function empty(...patterns: string[]): Rule[] {
  return patterns.map((pattern) => ({ kind: 'empty', pattern }))
}

/** Drops the lines that match. */
export function dropLines(line: RegExp, ...patterns: string[]): Rule[] {
  return patterns.map((pattern) => ({
    kind: 'edit',
    pattern,
    change: (text) =>
      text
        .split('\n')
        .filter((candidate) => !line.test(candidate))
        .join('\n'),
  }))
}
