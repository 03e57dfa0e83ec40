import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { figure, table, timed } from './figures.js'

/**
 * The whole stage, from the configured qcow2 to the OVA, against what people do by hand to the same disk: mount it,
 * remove what must not be shipped, trim and check the file system, qemu-img, sha256sum, tar. Ours also searches the
 * whole disk for secrets, proves each operation on the sealed disk, writes SBOM and provenance, and lints the OVA.
 */
export function wholeStage(folder, example, disk) {
  if (process.getuid() !== 0)
    return console.log('not measured: pack.stage-vs-by-hand (a loop device needs root)')
  const ours = timed(process.execPath, [
    'dist/cli/index.js',
    'ova-pack',
    '--force',
    '--working-directory',
    example,
  ])
  const { parts } = JSON.parse(readFileSync(join(example, 'build/ova-pack/timings.json'), 'utf8'))
  const theirs = timed('bash', ['-euo', 'pipefail', '-c', byHand, 'by-hand', disk, join(folder, 'by-hand')])
  table([
    ['from the configured disk to the OVA', 'seconds'],
    ['ova-pack, all of it', ours.seconds.toFixed(1)],
    ...Object.entries(parts).map(([part, milliseconds]) => [`  ${part}`, (milliseconds / 1000).toFixed(1)]),
    ['by hand: qemu-img, mount, rm, fstrim, e2fsck, qemu-img, sha256sum, tar', theirs.seconds.toFixed(1)],
  ])
  figure('pack.stage-vs-by-hand', theirs.seconds / ours.seconds, 'x', '≥ 1')
  rmSync(join(folder, 'by-hand'), { recursive: true, force: true })
}

const byHand = String.raw`
mkdir -p "$2/root"; cd "$2"
qemu-img convert -O raw "$1" disk.raw
read -r start size < <(sfdisk --json disk.raw | node -e '
  const { partitions } = JSON.parse(require("fs").readFileSync(0, "utf8")).partitiontable
  const { start, size } = partitions.reduce((one, other) => (one.size > other.size ? one : other))
  console.log(start, size)')
loop=$(losetup --find --show --offset $((start * 512)) --sizelimit $((size * 512)) disk.raw)
trap 'umount root 2>/dev/null || true; losetup --detach "$loop"' EXIT
mount "$loop" root
: >root/etc/machine-id
rm -rf root/etc/ssh/ssh_host_* root/root/.ssh root/root/.bash_history root/var/log/journal/* root/var/lib/systemd/random-seed \
  root/var/lib/systemd/credential.secret root/var/lib/dhcp/* root/var/lib/apt/lists/* root/var/cache/apt/*.bin \
  root/var/cache/apt/archives/*.deb root/tmp/* root/var/tmp/*
find root/var/log -type f -delete
fstrim root
umount root
e2fsck -fp "$loop"
qemu-img convert -O vmdk -o subformat=streamOptimized,adapter_type=lsilogic disk.raw disk.vmdk
echo '<Envelope/>' >appliance.ovf # from a template: nothing to measure
sha256sum --tag appliance.ovf disk.vmdk | sed 's/ (/(/; s/ =/=/' >appliance.mf
tar --format=ustar -cf appliance.ova appliance.ovf appliance.mf disk.vmdk
`
