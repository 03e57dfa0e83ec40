import { ApplianceError } from '../errors/error.ts'
import { freePort } from './free-port.ts'
import type { MachineNetwork, Plug } from './network.ts'
import type { NetworkOptions } from './private.ts'

/** The mirror as the guest sees it. Under `restrict=on` nobody answers DNS, so it is reached by its address. */
const MIRROR_ADDRESS = '10.0.2.100'
/** What QEMU's DHCP gives the first machine of a network. */
const GUEST_ADDRESS = '10.0.2.15'

/**
 * The fallback for computers that allow no namespaces: QEMU's own network, closed (`restrict=on`), with the mirror
 * let in and the guest's ports forwarded to our loopback device. Its limits:
 *
 * - There is no name `mirror`: clients must be given `mirrorUrl`, which names an address.
 * - A forwarded connection is accepted before the guest is asked, so `connectionProves` is false.
 * - Attempts to leave die unseen inside QEMU: `escapes` cannot know them.
 * - Only the ports named when plugging can be reached; a driver may have QEMU forward more (`hostfwd_add`).
 */
export async function userNetwork({ serve, log }: NetworkOptions): Promise<MachineNetwork> {
  const port = await freePort()
  const mirror = await serve('127.0.0.1', port)
  log.debug(`user network: the mirror at http://${MIRROR_ADDRESS}, served on 127.0.0.1:${port}`)
  return {
    kind: 'user',
    mirrorUrl: `http://${MIRROR_ADDRESS}`,
    plug: ({ ports }) => plugUser(ports, port),
    escapes: async () => [],
    [Symbol.asyncDispose]: () => mirror[Symbol.asyncDispose](),
  }
}

async function plugUser(ports: readonly number[], mirrorPort: number): Promise<Plug> {
  const forwards = new Map<number, number>()
  for (const port of new Set([22, ...ports])) forwards.set(port, await freePort())
  return {
    netdev: ['-netdev', userNetdev(forwards, relayCommand(process.execPath, mirrorPort))],
    address: async () => GUEST_ADDRESS,
    async reach(port) {
      const forward = forwards.get(port)
      if (forward) return { host: '127.0.0.1', port: forward, connectionProves: false }
      throw new ApplianceError('internal', `port ${port} of the guest is not forwarded`)
    },
    [Symbol.asyncDispose]: async () => {},
  }
}

/**
 * The value of `-netdev`.
 *
 * @param forwards guest port → port on our loopback device
 * @param relay the command QEMU starts for each connection to the mirror, joined to it by its standard streams
 * @see qemu(1) -netdev user; a comma inside a value is doubled
 */
export function userNetdev(forwards: ReadonlyMap<number, number>, relay: string): string {
  const parts = [...forwards].map(([guest, host]) => `hostfwd=tcp:127.0.0.1:${host}-:${guest}`)
  const cmd = relay.replaceAll(',', ',,')
  return ['user', 'id=net0', 'restrict=on', ...parts, `guestfwd=tcp:${MIRROR_ADDRESS}:80-cmd:${cmd}`].join(
    ',',
  )
}

/**
 * A command that joins its standard streams to a port of ours. QEMU's `guestfwd=…-tcp:` would connect once only,
 * when the machine starts; a command is started for every connection. Node is the one program sure to be there.
 */
export function relayCommand(node: string, port: number): string {
  const script = `const s=require('net').connect(${port},'127.0.0.1');process.stdin.pipe(s);s.pipe(process.stdout)`
  return `"${node}" -e "${script}"`
}
