import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Guest } from '../lib/guest/guest.ts'
import type { MirrorAccess } from '../lib/mirror/guest-access.ts'
import { SCRATCH } from '../lib/mirror/guest-places.ts'
import { mirrorTree } from '../lib/mirror/tree-place.ts'
import type { StageWork } from '../lib/stage/stage.ts'

type Work = Pick<StageWork, 'project' | 'network' | 'signal' | 'log' | 'workDirectory'>

/** Lets the guest's package managers use the mirror for as long as the build lasts. */
export async function prepare(guest: Guest, work: Work, access: MirrorAccess): Promise<void> {
  const { project, network, signal } = work
  const { welcome } = network()
  if (welcome) await guest.run(welcome, { signal, allowFailure: true })
  await guest.run(
    `mkdir -p /run/appliance/lists/partial /run/appliance/yum.repos.d ${SCRATCH}/archives/partial && chmod 755 /run/appliance`,
    { signal },
  )
  for (const [to, content] of Object.entries(access.files)) await put(guest, work, to, content, 0o644)
  const key = mirrorTree(project, 'deb', 'appliance-mirror.gpg')
  await guest.upload(key, '/run/appliance/mirror.gpg', { mode: 0o644, owner: 'root', group: 'root', signal })
  for (const command of access.commands)
    await guest.run(command, { env: access.env, signal, onOutput: (text) => work.log.guest(text) })
}

export async function put(
  guest: Guest,
  work: Pick<StageWork, 'workDirectory' | 'signal'>,
  to: string,
  content: string,
  mode: number,
): Promise<void> {
  const from = join(work.workDirectory, 'put')
  await writeFile(from, content)
  await chmod(from, mode)
  await guest.upload(from, to, { mode, owner: 'root', group: 'root', signal: work.signal })
}
