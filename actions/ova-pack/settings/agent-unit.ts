/** Where the agent and what it needs lie in the guest. */
export const AGENT = '/usr/lib/appliance/settings'
export const AGENT_UNIT = 'appliance-settings.service'
/** A file for each property, with its default: the agent knows no others. */
export const DEFAULTS = '/usr/lib/appliance/properties'

/**
 * The unit that runs it, at every boot, before any network: a customer who changes a property in vSphere gets the
 * change at the next boot; where nothing has changed it does nothing. By the shell's name, since SELinux' policies
 * leave a service unconfined that begins there, but not in /usr/lib.
 *
 * @see systemd.special(7) network-pre.target; unconfined_service_selinux(8) ENTRYPOINTS
 */
export const agentUnit = `[Unit]
Description=Apply the settings given on import
DefaultDependencies=no
After=local-fs.target systemd-udevd.service systemd-udev-trigger.service systemd-tmpfiles-setup.service
Before=network-pre.target systemd-networkd.service NetworkManager.service networking.service systemd-timesyncd.service
Before=appliance-first-boot.service shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh ${AGENT}
StandardOutput=journal+console
TimeoutStartSec=5min

[Install]
WantedBy=multi-user.target
`
