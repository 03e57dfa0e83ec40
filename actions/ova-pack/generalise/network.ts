import { cards } from './cards.ts'
import { dropLines, type Operation, remove, removeIf } from './operation.ts'

/** systemd-resolved, enabled: Debian 11 and EL 8 have its program, and nothing starts it. @see systemctl(1) enable */
const RESOLVED =
  '/{etc,usr/lib}/systemd/system/{*.wants/systemd-resolved.service,dbus-org.freedesktop.resolve1.service}'

/** Where a machine was plugged in when it was built. */
export function network(mirrorUrls: readonly string[]): Operation[] {
  const hosts = mirrorUrls.map((url) => new URL(url).hostname.replaceAll('.', '\\.'))
  const mirrorHost = `(?:${hosts.join('|')})`
  const mirror = new RegExp(`https?://${mirrorHost}(?![\\w.-])`)
  return [
    {
      name: 'persistent network names',
      reason: "They tie interface names to the build machine's MAC address.",
      rules: remove(
        '/etc/udev/rules.d/70-persistent-{net,cd}.rules',
        '/etc/udev/rules.d/75-persistent-net-generator.rules',
        '/etc/udev/rules.d/75-cd-aliases-generator.rules',
      ),
    },
    ...cards(),
    {
      name: 'DHCP leases',
      reason: 'A client with an old lease asks for an address of the build network.',
      rules: remove(
        '/var/lib/dhcp/*',
        '/var/lib/dhclient/*',
        '/var/lib/dhcp3/*',
        '/var/lib/dhcpcd/*',
        '/var/lib/dhcpcd5/*',
        '/var/lib/NetworkManager/*.lease',
        '/var/lib/NetworkManager/{secret_key,seen-bssids,timestamps}',
        '/var/lib/systemd/network/*',
      ),
    },
    {
      name: 'resolver',
      reason: 'It names the name server of the build network.',
      rules: [
        {
          kind: 'link',
          path: '/etc/resolv.conf',
          target: '../run/systemd/resolve/stub-resolv.conf',
          where: RESOLVED,
          instead: true,
        },
        { kind: 'empty', pattern: '/etc/resolv.conf' },
      ],
    },
    {
      name: 'mirror address',
      reason: 'The mirror exists only during the build.',
      rules: [
        ...removeIf(mirror, '/etc/apt/sources.list.d/*', '/etc/apt/apt.conf.d/*', '/etc/yum.repos.d/*'),
        ...remove(
          '/etc/apt/{trusted.gpg.d,keyrings}/appliance-mirror.*',
          '/usr/share/keyrings/appliance-mirror.*',
        ),
        ...dropLines(
          mirror,
          '/etc/apt/sources.list',
          '/etc/{environment,gemrc,gitconfig,pip.conf}',
          '~/{.gemrc,.gitconfig,.npmrc,.bundle/config,.config/pip/pip.conf}',
        ),
        ...dropLines(new RegExp(`^\\s*[0-9.]+\\s+${mirrorHost}(?:\\s|$)`), '/etc/hosts'),
      ],
    },
  ]
}
