import { access, constants } from 'node:fs/promises'

/** Whether a path leads to something. `mode`: and may be read, written, executed by us (access(2): `constants.R_OK` …). */
export async function exists(path: string, mode: number = constants.F_OK): Promise<boolean> {
  return await access(path, mode).then(
    () => true,
    () => false,
  )
}
