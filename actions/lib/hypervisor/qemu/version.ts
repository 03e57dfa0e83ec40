import { run } from '../../process/command.ts'

export const QEMU = 'qemu-system-x86_64'

/** The first number of what QEMU calls itself: `7` of 7.2.22. */
export async function majorVersion(): Promise<number> {
  const { stdout } = await run(QEMU, ['--version'])
  return Number(/version (\d+)\./.exec(stdout)?.[1] ?? 0)
}
