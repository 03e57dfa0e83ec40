import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { ApplianceError } from '../../errors/error.ts'
import { exists } from '../../files/exists.ts'
import { start } from '../../process/command.ts'

/** How long libvirtd may take until it listens (ms). */
const PATIENCE = 60_000

/** A libvirtd of our own. */
export interface Libvirtd extends AsyncDisposable {
  /** Where it listens. */
  readonly socket: string
  /** Folder in which it keeps the ids of its machines' processes. */
  readonly machines: string
  /** Has it know that a card was given an address, as if its own dnsmasq had given it. */
  gave(mac: string, address: string): Promise<void>
}

/** The network that machines are plugged into: a bridge that is there already. */
export const NETWORK = 'appliance'

/**
 * A libvirtd that shares nothing with the computer's own, but its program: it has its folders for itself, since they
 * cannot be chosen, and works in the network that we are in. Machines run as root (ours: the namespace's), as other
 * drivers' do.
 *
 * @param folder for its files
 * @param sockets a short path for its sockets
 * @param bridge that the network {@link NETWORK} is to be
 * @see libvirtd(8); qemu.conf; https://libvirt.org/formatnetwork.html
 */
export async function startLibvirtd(folder: string, sockets: string, bridge: string): Promise<Libvirtd> {
  const etc = join(folder, 'etc')
  const state = join(folder, 'state')
  const networks = join(etc, 'qemu/networks')
  await mkdir(join(networks, 'autostart'), { recursive: true })
  for (const name of ['lib/dnsmasq', 'run', 'cache', 'log'])
    await mkdir(join(state, name), { recursive: true })
  await writeFile(join(etc, 'libvirtd.conf'), LIBVIRTD.replace('SOCKETS', sockets))
  await writeFile(join(etc, 'qemu.conf'), QEMU)
  const network = `<network><name>${NETWORK}</name><forward mode='bridge'/><bridge name='${bridge}'/></network>\n`
  await writeFile(join(networks, `${NETWORK}.xml`), network)
  await symlink(`../${NETWORK}.xml`, join(networks, 'autostart', `${NETWORK}.xml`))

  const places = [
    [etc, '/etc/libvirt'],
    [join(state, 'lib'), '/var/lib/libvirt'],
    [join(state, 'run'), '/run/libvirt'],
    [join(state, 'cache'), '/var/cache/libvirt'],
    [join(state, 'log'), '/var/log/libvirt'],
  ].flat()
  const words = ['--config', '/etc/libvirt/libvirtd.conf', '--pid-file', join(sockets, 'libvirtd.pid')]
  const daemon = await start('unshare', [
    ...['--mount', '--propagation', 'private', '--', 'perl', '-MErrno', '-e', IN_PLACES],
    ...[...places, '--', 'libvirtd', ...words],
  ])
  const socket = join(sockets, 'libvirt-sock')
  let ended = false
  daemon.ended.finally(() => {
    ended = true
  })
  for (let waited = 0; !(await exists(socket)); waited += 50) {
    if (ended || waited > PATIENCE) {
      await daemon.stop()
      const said = daemon.stderrTail().trim().split('\n').at(-1)
      throw new ApplianceError('command-failed', `libvirtd did not start${said ? `: ${said}` : ''}`)
    }
    await pause(50)
  }
  return {
    socket,
    machines: join(state, 'run/qemu'),
    async gave(mac, address) {
      const lease = { 'ip-address': address, 'mac-address': mac, 'expiry-time': 4_000_000_000 }
      await writeFile(join(state, 'lib/dnsmasq', `${bridge}.status`), `${JSON.stringify([lease])}\n`)
    },
    [Symbol.asyncDispose]: () => daemon.stop(),
  }
}

/**
 * Lays folders over others, in pairs until `--`, and starts the command that follows; there is no program for it.
 * Processes are looked up by their ids, which are those of our own namespace. libvirtd waits for QEMUs that are no
 * children of its to be gone, and gone they are only when somebody has asked how they ended: whoever is the parent of
 * the orphans, which we become (prctl(2), number 157 on x86-64: PR_SET_CHILD_SUBREAPER, 36).
 */
const IN_PLACES = `syscall(157, 36, 1, 0, 0, 0);
system('mount', '-t', 'proc', 'proc', '/proc') and exit 1;
while ($ARGV[0] ne '--') {
  my ($from, $to) = splice(@ARGV, 0, 2);
  system('mkdir', '-p', $to) and exit 1;
  system('mount', '--bind', $from, $to) and exit 1;
}
shift;
my $daemon = fork // exit 1;
if (!$daemon) { exec { $ARGV[0] } @ARGV or exit 1 }
$SIG{TERM} = sub { kill 'TERM', $daemon };
while ((my $ended = wait) != -1 || $!{EINTR}) { exit($? >> 8) if $ended == $daemon }
`

const LIBVIRTD = `unix_sock_dir = "SOCKETS"
unix_sock_rw_perms = "0700"
auth_unix_ro = "none"
auth_unix_rw = "none"
`

/** Without the daemon that keeps logs, and without cgroups, which a container may not have. */
const QEMU = `user = "root"
group = "root"
security_driver = "none"
stdio_handler = "file"
dynamic_ownership = 0
remember_owner = 0
namespaces = []
cgroup_controllers = []
`
