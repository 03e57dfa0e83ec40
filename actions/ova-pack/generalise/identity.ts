import { type Operation, type Rule, remove } from './operation.ts'
import { firstBootUnit } from './units.ts'

/** What makes one machine tell itself apart from another: made anew at each customer's first boot. */
export function identity(hostname: string): Operation[] {
  return [
    {
      name: 'machine-id',
      reason:
        'Two machines with one machine-id get one DHCP lease and one journal; empty, systemd makes a new one.',
      rules: [
        { kind: 'write', path: '/etc/machine-id', content: '', mode: 0o444, where: '/etc' },
        { kind: 'link', path: '/var/lib/dbus/machine-id', target: '/etc/machine-id', where: '/var/lib/dbus' },
      ],
    },
    {
      name: 'SSH host keys',
      reason:
        "Whoever has the appliance could impersonate every customer's; a unit makes new ones at first boot.",
      rules: remove('/etc/ssh/ssh_host_*'),
    },
    {
      name: 'SSH host keys at first boot',
      reason: 'Debian does not make missing host keys itself: its ssh.service would fail.',
      rules: firstBootUnit({
        name: 'appliance-ssh-host-keys',
        description: 'Make the SSH host keys of this machine',
        needs: '/usr/bin/ssh-keygen',
        condition: '!/etc/ssh/ssh_host_ed25519_key',
        before: 'ssh.service ssh.socket sshd.service',
        command: '/usr/bin/ssh-keygen -A',
        wanted: 'multi-user.target',
        where: '/usr/sbin/sshd',
      }),
    },
    {
      name: 'snakeoil certificate',
      reason: 'ssl-cert makes it when installed: every customer would have the same private key.',
      rules: [
        ...remove('/etc/ssl/private/ssl-cert-snakeoil.key', '/etc/ssl/certs/ssl-cert-snakeoil.pem'),
        { kind: 'unlink', pattern: '/etc/ssl/certs/*', to: /(^|\/)ssl-cert-snakeoil\.pem$/ },
      ],
    },
    {
      name: 'snakeoil certificate at first boot',
      reason: 'Programs that Debian configures with it (PostgreSQL, nginx) do not start without.',
      rules: firstBootUnit({
        name: 'appliance-snakeoil',
        description: 'Make the self-signed certificate of this machine',
        needs: '/usr/sbin/make-ssl-cert',
        condition: '!/etc/ssl/private/ssl-cert-snakeoil.key',
        before: 'basic.target',
        command: '/usr/sbin/make-ssl-cert generate-default-snakeoil --force-overwrite',
        wanted: 'basic.target',
        where: '/usr/sbin/make-ssl-cert',
      }),
    },
    {
      name: 'random seed',
      reason: 'Machines that begin with one seed begin with the same random numbers.',
      rules: remove('/var/lib/systemd/random-seed', '/var/lib/urandom/random-seed', '/var/lib/random-seed'),
    },
    {
      name: 'credential secret',
      reason: 'It encrypts credentials for one machine; shipped, for all of them.',
      rules: remove('/var/lib/systemd/credential.secret'),
    },
    {
      name: 'host name',
      reason: "The appliance has its own name, not its builder's.",
      rules: hostNameRules(hostname),
    },
    {
      name: 'storage identity',
      reason: 'They name disks and hosts of the build.',
      rules: remove(
        '/etc/blkid.tab*',
        '/etc/lvm/devices/system.devices',
        '/etc/lvm/{archive,backup}/*',
        '/etc/nvme/host{id,nqn}',
        '/var/lib/smolt/uuid',
      ),
    },
  ]
}

function hostNameRules(hostname: string): Rule[] {
  return [
    { kind: 'write', path: '/etc/hostname', content: `${hostname}\n`, mode: 0o644, where: '/etc' },
    { kind: 'edit', pattern: '/etc/hosts', change: (text) => ownName(text, hostname) },
  ]
}

/** Debian resolves a machine's own name by 127.0.1.1 (Debian Reference, 5.1.1). */
function ownName(hosts: string, hostname: string): string {
  const own = `127.0.1.1\t${hostname}`
  const lines = hosts.split('\n')
  const at = lines.findIndex((line) => /^127\.0\.1\.1\s/.test(line))
  if (at >= 0) lines[at] = lines[at]!.trim().split(/\s+/).slice(1).join(' ') === hostname ? lines[at]! : own
  else lines.splice(lines.findIndex((line) => /^127\.0\.0\.1\s/.test(line)) + 1, 0, own)
  return lines.join('\n')
}
