import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ApplianceError } from '../errors/error.ts'
import { judged } from './attempts.ts'
import { Capture, dns } from './capture.ts'
import { freePort } from './free-port.ts'
import type { MachineNetwork, Plug } from './network.ts'
import type { NetworkOptions } from './private.ts'
import { Questions } from './questions.ts'
import { emptyResolver } from './resolver.ts'

/** The mirror as the guest sees it. Under `restrict=on` nobody answers DNS, so it is reached by its address. */
const MIRROR_ADDRESS = '10.0.2.100'
/** What QEMU's DHCP gives the first machine of a network. */
const GUEST_ADDRESS = '10.0.2.15'
/** QEMU's own address in that network, which routes nothing under `restrict=on`: it refuses at once. */
const ROUTER_ADDRESS = '10.0.2.2'
/** Our resolver as the guest sees it, by TCP alone: QEMU forwards no UDP. */
const RESOLVER_ADDRESS = '10.0.2.101'
/** Enough of a packet for the longest question: Ethernet, IPv4 with options, UDP, and 512 bytes (RFC 1035, 2.3.4). */
const CAPTURED = 14 + 60 + 8 + 512

/**
 * The fallback for computers that allow no namespaces: QEMU's own network, closed (`restrict=on`), with the mirror
 * let in and the guest's ports forwarded to our loopback device. Its limits:
 *
 * - There is no name `mirror`: clients must be given `mirrorUrl`, which names an address.
 * - A forwarded connection is accepted before the guest is asked, so `connectionProves` is false.
 * - Without a router and a resolver, which QEMU gives nobody under `restrict=on`, attempts to leave die unseen inside
 *   the guest. `welcome` sets both until it shuts down; what is tried before, and after a reboot, remains unseen, and
 *   so does what programs of this computer try: they are not held to anything.
 * - Only the ports named when plugging can be reached; a driver may have QEMU forward more (`hostfwd_add`).
 */
export async function userNetwork({ serve, log }: NetworkOptions): Promise<MachineNetwork> {
  const port = await freePort()
  const mirror = await serve('127.0.0.1', port)
  const directory = await mkdtemp(join(tmpdir(), 'appliance-net-'))
  const captures: Capture[] = []
  const questions = new Questions()
  log.debug(`user network: the mirror at http://${MIRROR_ADDRESS}, served on 127.0.0.1:${port}`)
  return {
    kind: 'user',
    mirrorUrl: `http://${MIRROR_ADDRESS}`,
    welcome: WELCOME,
    plug({ name, ports }) {
      const who = `machine ${name}`
      const capture = join(directory, `${captures.length}.pcap`)
      captures.push(new Capture(capture, who, (address) => address.startsWith('10.0.2.')))
      return plugUser(ports, port, capture, (name, type) => questions.add(who, name, type))
    },
    async escapes() {
      const seen = await Promise.all(captures.map((capture) => capture.attempts()))
      const asked = questions.list().map(({ from, name, times }) => dns(from, name, times))
      return judged([...seen.flat(), ...asked])
    },
    async [Symbol.asyncDispose]() {
      await mirror[Symbol.asyncDispose]()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/**
 * A default route, so that packets reach QEMU and are seen there, and our resolver, by TCP, so that names are known
 * and nobody waits for an answer. resolv.conf is only covered, and only where it is not on the disk (systemd-resolved
 * and NetworkManager keep it under /run): a step may want to write one of its own.
 *
 * @see resolv.conf(5), "use-vc"
 */
const WELCOME = `ip route replace default via ${ROUTER_ADDRESS} || exit 0
target=$(readlink -f /etc/resolv.conf) || exit 0
case $target in /run/*) ;; *) exit 0 ;; esac
printf 'nameserver ${RESOLVER_ADDRESS}\\noptions use-vc\\n' > /run/appliance-resolv.conf
chmod 644 /run/appliance-resolv.conf
mount --bind /run/appliance-resolv.conf "$target"
`

async function plugUser(
  ports: readonly number[],
  mirrorPort: number,
  capture: string,
  onQuestion: (name: string, type: string) => void,
): Promise<Plug> {
  const forwards = new Map<number, number>()
  for (const port of new Set([22, ...ports])) forwards.set(port, await freePort())
  const resolver = await emptyResolver(({ name, type }) => onQuestion(name, type))
  const relays = new Map([
    [`${MIRROR_ADDRESS}:80`, relayCommand(process.execPath, mirrorPort)],
    [`${RESOLVER_ADDRESS}:53`, relayCommand(process.execPath, resolver.port)],
  ])
  return {
    netdev: ['-netdev', userNetdev(forwards, relays), '-object', dump(capture)],
    address: async () => GUEST_ADDRESS,
    async reach(port) {
      const forward = forwards.get(port)
      if (forward) return { host: '127.0.0.1', port: forward, connectionProves: false }
      throw new ApplianceError('internal', `port ${port} of the guest is not forwarded`)
    },
    [Symbol.asyncDispose]: () => resolver[Symbol.asyncDispose](),
  }
}

/** The value of `-object` that writes down what the machine sends (queue `rx`: what the netdev receives). */
function dump(path: string): string {
  return `filter-dump,id=dump0,netdev=net0,queue=rx,maxlen=${CAPTURED},file=${path.replaceAll(',', ',,')}`
}

/**
 * The value of `-netdev`.
 *
 * @param forwards guest port → port on our loopback device
 * @param relays address and port → the command QEMU starts for each connection there, joined to it by its standard
 *   streams
 * @see qemu(1) -netdev user; a comma inside a value is doubled
 */
export function userNetdev(
  forwards: ReadonlyMap<number, number>,
  relays: ReadonlyMap<string, string>,
): string {
  const parts = [...forwards].map(([guest, host]) => `hostfwd=tcp:127.0.0.1:${host}-:${guest}`)
  const relayed = [...relays].map(([to, cmd]) => `guestfwd=tcp:${to}-cmd:${cmd.replaceAll(',', ',,')}`)
  return ['user', 'id=net0', 'restrict=on', ...parts, ...relayed].join(',')
}

/**
 * A command that joins its standard streams to a port of ours. QEMU's `guestfwd=…-tcp:` would connect once only,
 * when the machine starts; a command is started for every connection. Node is the one program sure to be there.
 */
export function relayCommand(node: string, port: number): string {
  const script = `const s=require('net').connect(${port},'127.0.0.1');process.stdin.pipe(s);s.pipe(process.stdout)`
  return `"${node}" -e "${script}"`
}
