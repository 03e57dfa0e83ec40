import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Recipe } from '../../lib/definition/recipe-types.ts'
import type { Guest } from '../../lib/guest/guest.ts'
import type { Lock } from '../../lib/lock/lock.ts'
import { mirrorAccess } from '../../lib/mirror/guest-access.ts'
import { leaveDnfFiles } from '../../lib/mirror/guest-dnf.ts'
import { RUN, SCRATCH } from '../../lib/mirror/guest-places.ts'
import { mirrorTree } from '../../lib/mirror/tree-place.ts'
import type { StageWork } from '../../lib/stage/stage.ts'
import { commandFor } from './script-command.ts'

/** The mirror for the package manager of a definition's machine, for as long as its scripts run. */
export interface ScriptMirror {
  /** Again after each restart. */
  open(guest: Guest): Promise<void>
  /** Nothing of it stays on the disk. */
  close(guest: Guest): Promise<void>
}

/** A link to what lies under /run: apt's own environment variable does not survive sudo. */
const APT = '/etc/apt/apt.conf.d/99appliance-mirror'

/** Lets a definition's scripts install from the mirror by apt-get and dnf; undefined where that has no packages. */
export function mirrorForScripts(work: StageWork, lock: Lock, recipe: Recipe): ScriptMirror | undefined {
  if (lock.deb.length === 0 && lock.rpm.length === 0) return undefined
  const asRoot = async (guest: Guest, name: string, script: string) => {
    const { signal } = work
    const home = (await guest.run('cd ~ && pwd', { signal })).stdout.trim()
    const from = join(work.workDirectory, name)
    await writeFile(from, script)
    await guest.upload(from, join(home, name), { mode: 0o755, ownFile: true, signal })
    const plain = { ...recipe, postinstall: { ...recipe.postinstall, before: undefined } }
    const command = `cd ~ && ${commandFor(`./${name}`, plain)} && rm -f ./${name}`
    await guest.run(command, { signal, title: name.replace(/^\.|\.sh$/g, ''), onOutput: work.log.debug })
  }
  return {
    async open(guest) {
      const key = mirrorTree(work.project, 'deb', 'appliance-mirror.gpg')
      const bytes = await readFile(key).catch(() => Buffer.alloc(0))
      await asRoot(guest, '.use-the-mirror.sh', openingScript(lock, work.network().mirrorUrl, bytes))
    },
    close: (guest) => asRoot(guest, '.leave-the-mirror.sh', closingScript),
  }
}

/** @param key the mirror's own, binary */
export function openingScript(lock: Lock, mirrorUrl: string, key: Buffer): string {
  const { files, commands } = mirrorAccess(lock, mirrorUrl)
  const written = Object.entries(files).map(([path, content]) => `cat >${path} <<'END'\n${content}END\n`)
  return `#!/bin/sh
set -eu
umask 022
mkdir -p ${RUN}/lists/partial ${RUN}/yum.repos.d ${SCRATCH}/archives/partial
${written.join('')}base64 -d >${RUN}/mirror.gpg <<'END'
${key.toString('base64').replace(/.{76}/g, '$&\n')}
END
if [ -d /etc/apt/apt.conf.d ]; then ln -sf ${RUN}/apt.conf ${APT}; fi
${commands.map((command) => `${command}\n`).join('')}`
}

const closingScript = `#!/bin/sh
${leaveDnfFiles}
rm -rf ${APT} ${RUN} ${SCRATCH}
if command -v apt-get >/dev/null; then apt-get clean; fi
`
