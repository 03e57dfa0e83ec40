import type { Guest } from '../lib/guest/guest.ts'
import { mirrorAccess } from '../lib/mirror/guest-access.ts'
import { lockOf } from '../lib/stage/project.ts'
import type { StageWork } from '../lib/stage/stage.ts'
import { TOOLS } from './chef/configuration.ts'
import { prepare, put } from './prepare.ts'

/**
 * A machine for trying recipes, with the tools disk plugged in: whoever logs in finds the mirror as the stage's steps
 * do, and `chef-solo`. For machines that are thrown away: nothing of it is removed again.
 */
export async function likeProvisioning(
  guest: Guest,
  work: Pick<StageWork, 'project' | 'network' | 'signal' | 'log' | 'workDirectory'>,
): Promise<void> {
  const { signal } = work
  const access = mirrorAccess(lockOf(work.project), work.network().mirrorUrl)
  await prepare(guest, work, access)
  // pam_env(7) gives these to every session.
  const environment = Object.entries(access.env).map(([name, value]) => `${name}="${value}"\n`)
  await put(guest, work, '/etc/environment', environment.join(''), 0o644)
  await guest.run(`mkdir -p ${TOOLS} && mount -o ro /dev/disk/by-id/virtio-tools ${TOOLS}`, { signal })
  for (const program of ['chef-solo', 'chef-client'])
    await put(
      guest,
      work,
      `/usr/local/bin/${program}`,
      `#!/bin/sh\nexec sh ${TOOLS}/${program} "$@"\n`,
      0o755,
    )
}
