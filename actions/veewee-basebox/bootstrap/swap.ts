/** The unit that makes the swap file. */
export const SWAP_UNIT = 'appliance-swap-file.service'

/** For fstab(5). A disk too full for it is no reason not to start. */
export const swapLine = '/swapfile none swap nofail 0 0\n'

/**
 * The machine makes its swap file itself, when it has none: in an image it would be as large as it is, since a swap
 * file may have no holes, and with it would travel whatever a machine of the build had swapped out.
 *
 * @param bytes its size
 * @see swapon(8), "Files with holes"; fallocate(1)
 */
export function swapUnit(bytes: number): string {
  return `[Unit]
Description=Make the swap file
ConditionPathExists=!/swapfile
DefaultDependencies=no
After=systemd-remount-fs.service systemd-growfs-root.service systemd-growfs@-.service
Before=swapfile.swap

[Service]
Type=oneshot
RemainAfterExit=yes
UMask=0077
ExecStart=/usr/bin/rm -f /swapfile.new
ExecStart=/usr/bin/fallocate -l ${bytes} /swapfile.new
ExecStart=/usr/sbin/mkswap -q /swapfile.new
ExecStart=/usr/bin/mv /swapfile.new /swapfile

[Install]
RequiredBy=swapfile.swap
`
}
