import type { Files } from './sample-disk.ts'

export const BODY = 'AAAAC3NzaC1lZDI1NTE5AAAAIMh0zT4KVBoVbX4K7T3yq1n6oYyGZ5tBqkZrS4oP9wLx'
export const BUILD_KEY = `ssh-ed25519 ${BODY} appliance build\n`
export const PEM = `-----BEGIN PRIVATE KEY-----\n${'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\n'.repeat(20)}-----END PRIVATE KEY-----\n`

/** What must be gone afterwards. */
export const doomed: Files = {
  '/etc/ssh/ssh_host_ed25519_key': PEM,
  '/etc/ssh/ssh_host_ed25519_key.pub': 'ssh-ed25519 AAAA root@builder\n',
  '/etc/ssl/private/ssl-cert-snakeoil.key': PEM,
  '/etc/ssl/certs/ssl-cert-snakeoil.pem': 'certificate\n',
  '/etc/ssl/certs/62742064.0': { link: 'ssl-cert-snakeoil.pem' },
  '/etc/udev/rules.d/70-persistent-net.rules': 'SUBSYSTEM=="net"\n',
  '/etc/netplan/50-cloud-init.yaml':
    'network:\n  ethernets:\n    ens3:\n      match:\n        macaddress: "52:54:00:12:34:56"\n',
  '/etc/NetworkManager/system-connections/cloud-init-ens3.nmconnection': '[connection]\n',
  '/etc/systemd/network/10-build.link': '[Match]\nMACAddress=52:54:00:12:34:56\n[Link]\nName=lan\n',
  '/etc/cloud/cloud.cfg.d/99-installer.cfg': 'users: [{ name: ada, passwd: $6$x$y }]\n',
  '/etc/sudoers.d/90-cloud-init-users': 'ada ALL=(ALL) NOPASSWD:ALL\n',
  '/etc/apt/sources.list.d/mirror.list': 'deb http://mirror/deb/debian appliance main\n',
  '/etc/passwd-': 'root:x:0:0::/root:/bin/sh\n',
  '/root/.bash_history': 'passwd\n',
  '/root/.ssh/authorized_keys': BUILD_KEY,
  '/root/.cache/thing/deep/file': 'x',
  '/home/ada/.ssh/authorized_keys': BUILD_KEY,
  '/home/ada/.psql_history': 'select 1',
  '/tmp/a folder/with "quotes"': 'x',
  '/tmp/.X11-unix': 'folder',
  '/var/tmp/left': { link: '/nowhere' },
  '/var/crash/core.1': 'x',
  '/var/cache/apt/pkgcache.bin': 'x',
  '/var/cache/apt/archives/nginx_1_amd64.deb': 'x',
  '/var/cache/ldconfig/aux-cache': 'x',
  '/var/lib/apt/lists/mirror_deb_debian_dists_appliance_InRelease': 'x',
  '/var/lib/apt/lists/partial/half_a_list': 'x',
  '/var/lib/cloud/instances/i-1/user-data.txt': 'x',
  '/var/lib/dhcp/dhclient.ens3.leases': 'lease {}\n',
  '/var/lib/dhcpcd/ens3.lease': 'x',
  '/var/lib/NetworkManager/internal-1-ens3.lease': 'x',
  '/var/lib/NetworkManager/secret_key': 'x',
  '/var/lib/dpkg/status-old': 'x',
  '/var/lib/systemd/random-seed': 'x'.repeat(512),
  '/var/lib/systemd/credential.secret': 'x',
  '/var/lib/systemd/timers/stamp-apt-daily.timer': '',
  '/var/lib/systemd/timesync/clock': '',
  '/var/log/journal/0123456789abcdef0123456789abcdef/system.journal': 'x'.repeat(5000),
  '/var/log/syslog.1': 'x',
  '/var/log/nginx/access.log.2.gz': 'x',
  '/var/mail/root': 'From cron\n',
}

/** What must stay, or be made: nothing of it may be lost with the rest. */
export const kept: Files = {
  '/etc/passwd':
    'root:x:0:0::/root:/bin/bash\nada:x:1000:1000::/home/ada:/bin/bash\nwww:x:33:33::/:/bin/false\n',
  '/etc/hostname': 'builder\n',
  '/etc/hosts': '127.0.0.1\tlocalhost\n127.0.1.1\tbuilder\n10.77.0.1\tmirror\n',
  '/etc/machine-id': '0123456789abcdef0123456789abcdef\n',
  '/etc/resolv.conf': 'nameserver 10.77.0.1\n',
  '/etc/NetworkManager/system-connections/wired.nmconnection':
    '[connection]\ntype=ethernet\n[ethernet]\nmac-address=52:54:00:12:34:56\n',
  '/etc/systemd/network/10-build.network': '[Match]\nMACAddress=52:54:00:12:34:56\n[Network]\nDHCP=yes\n',
  '/etc/sysconfig/network-scripts/ifcfg-ens3': 'DEVICE=ens3\nHWADDR=52:54:00:12:34:56\nBOOTPROTO=dhcp\n',
  '/etc/netplan/60-any.yaml': 'network: {version: 2}\n',
  '/etc/systemd/network/80-any.network': '[Match]\nName=en* eth*\n[Network]\nDHCP=yes\n',
  '/etc/ssh/sshd_config': 'PermitRootLogin prohibit-password\n',
  '/usr/sbin/sshd': 'x',
  '/usr/sbin/make-ssl-cert': 'x',
  '/usr/lib/os-release': 'PRETTY_NAME="Debian"\nID=debian\n',
  '/usr/lib/systemd/systemd-resolved': 'x',
  '/etc/systemd/system/sysinit.target.wants/systemd-resolved.service': {
    link: '/lib/systemd/system/systemd-resolved.service',
  },
  '/var/lib/dbus/machine-id': '0123456789abcdef0123456789abcdef\n',
  '/var/lib/dpkg/status': 'Package: x\n',
  '/var/lib/systemd/deb-systemd-helper-enabled/x': 'x',
  '/var/log/nginx/access.log': 'GET /\n',
  '/var/log/postgresql': 'folder',
  '/var/backups/license-server/first.tar': 'x',
  '/srv/app/logs/app.log': 'its own\n',
}
