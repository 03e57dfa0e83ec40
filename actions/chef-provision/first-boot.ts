import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import type { Guest } from '../lib/guest/guest.ts'
import { run } from '../lib/process/command.ts'
import type { StageWork } from '../lib/stage/stage.ts'

const LIB = '/usr/lib'
const UNIT = 'appliance-first-boot.service'
/** @see systemd.unit(5) [Install] WantedBy=multi-user.target */
const WANTS = '/etc/systemd/system/multi-user.target.wants'

/** Where the customer's machine finds what it does once, and the mark that it is done. */
export const FIRST_BOOT = '/usr/lib/appliance/first-boot.d'
const STAMP = '/var/lib/appliance/first-boot.done'

/** What the customer said on import, and what is so where nothing was said (ova-pack puts both there). */
const GIVEN = '/var/lib/appliance/properties'
const DEFAULTS = '/usr/lib/appliance/properties'
/** Not under /var/log: it is written once and does not grow, so that nothing need rotate it. The journal has it, too. */
const LOG = '/var/lib/appliance/first-boot.log'

/**
 * The unit that runs the user's `first_boot:` scripts once, in order, at the customer's, after the settings given on
 * import. A script that a power cut interrupted is run again at the next boot (it is to be idempotent), those before it
 * are not; a failure is a failed unit in plain sight, and is tried again at the next boot, too.
 *
 * By the shell, since what systemd begins of /usr/lib itself runs in its own domain where SELinux enforces.
 *
 * @see systemd.service(5) Type=oneshot; systemd.unit(5) ConditionPathExists
 */
export function firstBootUnit(): string {
  return `[Unit]
Description=First boot of this appliance: what must differ per installation
ConditionPathExists=!${STAMP}
After=network.target local-fs.target systemd-random-seed.service appliance-settings.service
Before=multi-user.target getty@tty1.service serial-getty@ttyS0.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh /usr/lib/appliance/first-boot
StandardOutput=journal+console
TimeoutStartSec=infinity

[Install]
WantedBy=multi-user.target
`
}

/** The program the unit starts. Scripts get each property KEY as PROPERTY_KEY, a dash in it as an underscore. */
export function firstBootRunner(): string {
  return `#!/bin/sh
# Runs every script in ${FIRST_BOOT} in order, each once, then remembers that it did.
set -eu
for file in ${DEFAULTS}/* ${GIVEN}/*; do
  [ -f "$file" ] || continue
  key=$(printf %s "\${file##*/}" | tr - _)
  value=$(cat "$file")
  export "PROPERTY_$key=$value"
done
done=${STAMP}.d
mkdir -p "$done"
(umask 077; : >>${LOG})
for script in ${FIRST_BOOT}/*; do
  name=\${script##*/}
  [ -e "$script" ] || continue
  [ ! -e "$done/$name" ] || continue
  echo "first boot: $name"
  echo "== $(date -u +%FT%TZ) $name" >>${LOG}
  status=$(mktemp)
  { "$script" 2>&1 || echo $? >"$status"; } | tee -a ${LOG}
  if [ -s "$status" ]; then
    echo "== $name failed ($(cat "$status"))" >>${LOG}
    exit 1
  fi
  rm "$status"
  sync
  touch "$done/$name"
  sync
done
touch ${STAMP}
rm -r "$done"
sync
`
}

/** `make-secrets.sh`, third of the list → `03-make-secrets.sh`: the folder's order is the spec's. */
export function firstBootName(index: number, basename: string): string {
  return `${String(index + 1).padStart(2, '0')}-${basename}`
}

/**
 * The user's `first_boot:` scripts and the unit that runs them once, at the customer's. In one go: each question to an
 * emulated guest takes its time.
 */
export async function installFirstBoot(
  guest: Guest,
  work: Pick<StageWork, 'project' | 'signal' | 'workDirectory'>,
): Promise<void> {
  const scripts = work.project.spec.firstBoot
  if (scripts.length === 0) return
  const { signal } = work
  const staged = join(work.workDirectory, 'first-boot')
  await rm(staged, { recursive: true, force: true })
  const stage = async (path: string, mode: number, content: string | Buffer) => {
    const to = join(staged, relative(LIB, path))
    await mkdir(dirname(to), { recursive: true })
    await writeFile(to, content)
    await chmod(to, mode)
  }
  for (const [index, script] of scripts.entries())
    await stage(`${FIRST_BOOT}/${firstBootName(index, basename(script))}`, 0o755, await readFile(script))
  await stage(`${LIB}/appliance/first-boot`, 0o755, firstBootRunner())
  await stage(`${LIB}/systemd/system/${UNIT}`, 0o644, firstBootUnit())
  await run('find', [staged, '-type', 'd', '-exec', 'chmod', '755', '{}', '+'], { signal })
  // As `systemctl enable` does it, without its starting up. The machine is about to be shut down: its systemd need not know.
  const enable = `mkdir -p ${WANTS} && ln -sfn ${LIB}/systemd/system/${UNIT} ${WANTS}/${UNIT}`
  await guest.run(`rm -rf ${FIRST_BOOT} && ${enable}`, { signal, title: 'enabling the first boot’s scripts' })
  await guest.upload(staged, LIB, { owner: 'root', group: 'root', signal })
}
