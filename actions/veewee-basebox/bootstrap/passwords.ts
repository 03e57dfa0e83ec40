import { sha256 } from '../../lib/files/digest.ts'
import type { ToolsRoot } from '../../lib/tools/tools.ts'
import type { Settled } from './settle.ts'
import type { Account } from './system.ts'

/** crypt(3) of a salt and a password, a line each; Perl has it built in, and every Debian has Perl. */
const CRYPT =
  'while (my $salt = <STDIN>) { my $word = <STDIN>; chomp $salt; chomp $word; print crypt($word, $salt), "\\n" }'

/**
 * Accounts with their passwords hashed (SHA-512, crypt(5)). The salts come from the seed, so that the same inputs make
 * the same disk; passwords go by standard input alone.
 */
export async function withHashes(
  users: readonly Account[],
  seed: string,
  tools: ToolsRoot,
  signal: AbortSignal,
): Promise<Settled[]> {
  const lines = users.flatMap(({ name, password }) =>
    password && 'clear' in password
      ? [`$6$${sha256(`${seed} salt ${name}`).slice(0, 16)}$`, password.clear]
      : [],
  )
  const input = lines.map((line) => `${line}\n`).join('')
  const { stdout } =
    lines.length > 0 ? await tools.run('perl', ['-e', CRYPT], { input, signal }) : { stdout: '' }
  const hashes = stdout.split('\n')
  return users.map(({ password, ...user }) => ({
    ...user,
    hash: password && ('hash' in password ? password.hash : hashes.shift()!),
  }))
}
