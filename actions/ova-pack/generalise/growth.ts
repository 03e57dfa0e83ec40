import { expandBraces, Pattern } from '../../lib/disk/pattern.ts'
import type { RootFileSystem } from '../../lib/disk/root-file-system.ts'
import type { Operation, Rule } from './operation.ts'

const GROW = '/usr/lib/appliance/grow'
const UNIT = 'appliance-grow.service'
const SYSTEMD = '/usr/lib/systemd/systemd'

/**
 * What makes the root fill the disk, at every boot: customers enlarge disks long after they have imported them. By
 * whatever the guest has: growpart, sfdisk or systemd-repart for the partition, systemd-growfs, resize2fs or xfs_growfs
 * for the file system.
 */
export function growth(): Operation[] {
  const rules: Rule[] = [
    { kind: 'write', path: GROW, content: script, mode: 0o755 },
    { kind: 'write', path: `/usr/lib/systemd/system/${UNIT}`, content: unit, mode: 0o644 },
    {
      kind: 'link',
      path: `/etc/systemd/system/multi-user.target.wants/${UNIT}`,
      target: `/usr/lib/systemd/system/${UNIT}`,
    },
  ]
  return [
    {
      name: 'growth',
      reason:
        'A customer who enlarges the disk expects the room in it: the root grows into it at the next boot.',
      rules: rules.map((rule) => ({ ...rule, where: SYSTEMD })) as Rule[],
    },
  ]
}

/** Any one of these can make a partition larger. */
const GROWERS = ['growpart', 'sfdisk', 'systemd-repart'].map((name) => `/{,usr/}{,s}bin/${name}`)

/** Why the machine will not grow into a larger disk; undefined: it will, or is not to. */
export async function cannotGrow(
  root: RootFileSystem,
  skip: readonly string[] = [],
): Promise<string | undefined> {
  if (skip.includes('growth')) return undefined
  const patterns = [...GROWERS, SYSTEMD].flatMap(expandBraces)
  const found = [...(await root.tree(patterns.map((path) => new Pattern(path)))).values()]
  const files = found.filter(({ kind }) => kind === 'file' || kind === 'link').map(({ path }) => path)
  if (!files.includes(SYSTEMD) || files.length > 1) return undefined
  return 'nothing on the disk can make a partition larger: where a customer enlarges the disk, the room stays unused (install systemd-repart or cloud-guest-utils, or leave growth out by pack.seal.skip)'
}

/** By the shell's name for SELinux: see the settings' agent. */
const unit = `[Unit]
Description=Let the root fill the disk
Before=appliance-first-boot.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh ${GROW}
StandardOutput=journal+console

[Install]
WantedBy=multi-user.target
`

/** @see repart.d(5), systemd-growfs(8), growpart(1); the kernel's Documentation/ABI/stable/sysfs-block */
const script = `#!/bin/sh
# Lets the root's partition and file system fill the disk, where the disk has become larger; written by ova-pack.
set -u
say() { echo "appliance-grow: $*"; }
has() { command -v "$1" >/dev/null 2>&1; }

source=$(findmnt -nro SOURCE /)
name=$(basename "$(readlink -f "$source")")
at=/sys/class/block/$name
# Volumes and whole disks have no partition to grow.
[ -e "$at/partition" ] || exit 0
number=$(cat "$at/partition")
disk=$(basename "$(dirname "$(readlink -f "$at")")")
sectors() { cat "/sys/class/block/$1/size"; }
end() { echo $(($(cat "$at/start") + $(sectors "$name"))); }

# What systemd-repart is to know of each partition of the root's type: that it may grow.
repart() {
  type=$(udevadm info -q property -n "/dev/$name" | sed -n 's/^ID_PART_ENTRY_TYPE=//p')
  case $type in ????????-*) ;; *) return 1 ;; esac
  folder=$(mktemp -d)
  for other in /sys/class/block/"$disk"/*/partition; do
    [ -e "$other" ] || continue
    kind=$(udevadm info -q property -p "$(dirname "$other")" | sed -n 's/^ID_PART_ENTRY_TYPE=//p')
    [ "$kind" != "$type" ] || printf '[Partition]\\nType=%s\\n' "$type" >"$folder/$(cat "$other").conf"
  done
  systemd-repart --dry-run=no --definitions="$folder" "/dev/$disk" >/dev/null
  status=$?
  rm -r "$folder"
  return $status
}

grow_partition() {
  if has growpart && growpart "/dev/$disk" "$number"; then return 0; fi
  if has sfdisk && has partx && echo ', +' | sfdisk --quiet --no-reread --force -N "$number" "/dev/$disk"; then
    partx --update --nr "$number" "/dev/$disk" && return 0
  fi
  has systemd-repart && repart
}

grow_file_system() {
  for tool in /usr/lib/systemd/systemd-growfs /lib/systemd/systemd-growfs; do
    [ -x $tool ] && $tool / && return 0
  done
  case $(findmnt -nro FSTYPE /) in
    ext*) resize2fs "$source" ;;
    xfs) xfs_growfs / ;;
    btrfs) btrfs filesystem resize max / ;;
    *) return 1 ;;
  esac
}

last=yes
for other in /sys/class/block/"$disk"/*/start; do
  [ "$(cat "$other")" -lt "$(end)" ] || last=no
done
# Less than 2 MiB is what alignment and the second partition table take.
free=$(($(sectors "$disk") - $(end)))
if [ $last = yes ] && [ $free -ge 4096 ]; then
  before=$(sectors "$name")
  grow_partition
  if [ "$(sectors "$name")" -gt "$before" ]; then say "/dev/$name has grown by $((($(sectors "$name") - before) / 2048)) MiB"
  else say "/dev/$name could grow by $((free / 2048)) MiB: that takes growpart, sfdisk or systemd-repart"
  fi
fi
grow_file_system >/dev/null || say 'the file system could not be grown'
exit 0
`
