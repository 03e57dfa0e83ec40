import { mkdir } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Guest } from '../lib/guest/guest.ts'
import type { StageWork } from '../lib/stage/stage.ts'
import { put } from './prepare.ts'

/** Where the customer's machine finds what it does once, and the mark that it is done. */
export const FIRST_BOOT = '/usr/lib/appliance/first-boot.d'
const STAMP = '/var/lib/appliance/first-boot.done'

/**
 * The unit that runs the user's `first_boot:` scripts once, in order, at the customer's. A power cut in the middle
 * runs them again from the first (they are to be idempotent); a failure is a failed unit in plain sight.
 *
 * @see systemd.service(5) Type=oneshot; systemd.unit(5) ConditionPathExists
 */
export function firstBootUnit(): string {
  return `[Unit]
Description=First boot of this appliance: what must differ per installation
ConditionPathExists=!${STAMP}
After=network.target local-fs.target systemd-random-seed.service
Before=multi-user.target getty@tty1.service serial-getty@ttyS0.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/lib/appliance/first-boot
StandardOutput=journal+console
TimeoutStartSec=infinity

[Install]
WantedBy=multi-user.target
`
}

/** The program the unit starts. */
export function firstBootRunner(): string {
  return `#!/bin/sh
# Runs every script in ${FIRST_BOOT} in order, then remembers that it did.
set -eu
for script in ${FIRST_BOOT}/*; do
  [ -e "$script" ] || continue
  echo "first boot: \${script##*/}"
  "$script"
done
mkdir -p "$(dirname ${STAMP})"
touch ${STAMP}
`
}

/** `make-secrets.sh`, third of the list → `03-make-secrets.sh`: the folder's order is the spec's. */
export function firstBootName(index: number, basename: string): string {
  return `${String(index + 1).padStart(2, '0')}-${basename}`
}

/** The user's `first_boot:` scripts and the unit that runs them once, at the customer's. */
export async function installFirstBoot(
  guest: Guest,
  work: Pick<StageWork, 'project' | 'signal' | 'workDirectory'>,
): Promise<void> {
  const scripts = work.project.spec.firstBoot
  if (scripts.length === 0) return
  await mkdir(work.workDirectory, { recursive: true })
  await guest.run(`rm -rf ${FIRST_BOOT} && mkdir -p ${FIRST_BOOT}`, { signal: work.signal })
  for (const [index, script] of scripts.entries())
    await guest.upload(script, `${FIRST_BOOT}/${firstBootName(index, basename(script))}`, {
      mode: 0o755,
      owner: 'root',
      group: 'root',
      signal: work.signal,
    })
  await put(guest, work, '/usr/lib/appliance/first-boot', firstBootRunner(), 0o755)
  await put(guest, work, '/usr/lib/systemd/system/appliance-first-boot.service', firstBootUnit(), 0o644)
  await guest.run('systemctl enable -q appliance-first-boot.service', { signal: work.signal })
}
