import { ApplianceError } from '../../lib/errors/error.ts'
import { type RunningCommand, start } from '../../lib/process/command.ts'

/**
 * Compresses its standard input to its standard output. What comes out is the same on every computer for the same
 * version of zstd: the level is fixed, and more than one thread means one way of cutting the input, however many there
 * are (zstd(1), -T). What is mirrored is compressed already, so a low level is as good as a high one.
 */
export async function compressor(): Promise<RunningCommand> {
  return await start('zstd', ['-q', '-c', '-3', '-T2', '--no-progress', '-'], { env: settings })
}

/** Undoes it. Windows of more than 128 MiB are refused by zstd: nothing needs as much memory to be unpacked. */
export async function decompressor(): Promise<RunningCommand> {
  return await start('zstd', ['-q', '-d', '-c', '--memory=128MB', '--no-progress', '-'], { env: settings })
}

/** The user's own defaults. */
const settings = { ZSTD_CLEVEL: undefined, ZSTD_NBTHREADS: undefined } as unknown as Record<string, string>

/** What zstd has to say about what it was given. */
export function complaint(zstd: RunningCommand): string {
  const last = zstd.stderrTail().trim().split('\n').at(-1) ?? ''
  return last
    .replace(/^zstd: /, '')
    .replace(/^\/\*stdin\*\\ ?: ?/, '')
    .trim()
}

export function failed(zstd: RunningCommand, status: number): ApplianceError {
  return new ApplianceError('command-failed', `zstd failed (${status}): ${complaint(zstd)}`)
}
