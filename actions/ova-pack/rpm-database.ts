import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Where rpm keeps its database, now and formerly. */
export const rpmDatabases = ['/usr/lib/sysimage/rpm/rpmdb.sqlite', '/var/lib/rpm/rpmdb.sqlite']

/** Files of a guest, by path; one that is not there is missing in the result. */
type Read = (paths: readonly string[]) => Promise<ReadonlyMap<string, Uint8Array>>

/** Runs a program on files of this computer. */
type Run = (
  program: string,
  args: readonly string[],
  options?: { keep?: number },
) => Promise<{ stdout: string }>

/**
 * What rpm says of every package in a guest's database, of which it is given a copy.
 *
 * @param format rpm(8), --queryformat
 * @param scratch a folder for the copy
 * @returns undefined where there is no such database
 */
export async function queryRpms(
  read: Read,
  runRpm: Run,
  scratch: string,
  format: string,
): Promise<string[] | undefined> {
  // What the last transaction wrote may still be in the write-ahead log alone.
  const contents = await read(rpmDatabases.flatMap((path) => [path, `${path}-wal`]))
  const path = rpmDatabases.find((one) => contents.has(one))
  if (path === undefined) return undefined
  const folder = join(scratch, 'rpmdb')
  await mkdir(folder, { recursive: true })
  try {
    await writeFile(join(folder, 'rpmdb.sqlite'), contents.get(path)!)
    const log = contents.get(`${path}-wal`)
    if (log) await writeFile(join(folder, 'rpmdb.sqlite-wal'), log)
    const { stdout } = await runRpm('rpm', ['-qa', '--dbpath', folder, '--qf', format], { keep: 256 << 20 })
    return stdout.split('\n').filter((line) => line !== '')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
