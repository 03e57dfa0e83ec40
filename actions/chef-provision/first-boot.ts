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
