import { connect } from 'node:net'
import { ApplianceError } from '../../lib/errors/error.ts'
import type { Guest } from '../../lib/guest/guest.ts'
import type { Endpoint } from '../../lib/hypervisor/hypervisor.ts'
import type { Port } from '../../lib/spec/scenario.ts'
import { sendDatagram } from '../datagram.ts'
import { isOutside, LIST_LISTENERS, type Listener, offered, parseListeners } from '../listens.ts'
import { mismatch, type Surroundings, shown } from './outcome.ts'

/** How a port was found, and how that was found out where it matters. */
export interface PortFinding {
  state: 'open' | 'closed'
  /** One line for a person. */
  finding: string
  remarks: string[]
}

/** Milliseconds in which a guest that drops packets has not answered. */
const SILENCE = 5_000

/**
 * Looks at a port as a customer's network would: by connecting. Where a connection proves nothing (QEMU's user
 * network accepts it before it asks the guest) and for UDP, the guest's own list of sockets is asked, and the
 * finding says so. A guest that cannot be reached at all has no closed ports: that throws.
 */
export async function lookAtPort(
  { port, protocol, send, answer: wanted }: Pick<Port, 'port' | 'protocol' | 'send' | 'answer'>,
  { guest, machine, signal }: Surroundings,
): Promise<PortFinding> {
  const name = `${port}/${protocol}`
  if (protocol === 'udp') return await lookAtUdp(port, send, wanted, { guest, machine, signal })
  const endpoint = await machine.reach(port)
  if (!endpoint.connectionProves)
    return await askGuest(guest, name, 'a connection proves nothing with network: user', signal)
  const answer = await knock(endpoint, signal)
  if (answer === 'accepted') return { state: 'open', finding: `port ${name} is open`, remarks: [] }
  // Only a guest that is alive can have a closed port.
  const listeners = await listenersOf(guest, signal)
  const why =
    answer === 'refused' ? 'refuses connections' : `does not answer within ${SILENCE / 1000} s (filtered)`
  return {
    state: 'closed',
    finding: `port ${name} ${why}; the guest offers ${offered(listeners).join(', ') || 'none'}${onlyInside(listeners, port)}`,
    remarks: [],
  }
}

/**
 * A closed UDP port refuses (ICMP), an open one may answer or keep silent: then the guest's own list of sockets says
 * which it is.
 */
async function lookAtUdp(
  port: number,
  send: string | undefined,
  wanted: string | undefined,
  { guest, machine, signal }: Pick<Surroundings, 'guest' | 'machine' | 'signal'>,
): Promise<PortFinding> {
  const name = `${port}/udp`
  const { host, connectionProves } = await machine
    .reach(port)
    .catch(() => ({ host: '', connectionProves: false }))
  if (!connectionProves)
    return await askGuest(guest, name, 'UDP is not let through with network: user', signal)
  const heard = await sendDatagram({ host, port, text: send ?? '' }, UDP_SILENCE, signal)
  if (heard === 'refused') {
    const found = offered(await listenersOf(guest, signal)).join(', ') || 'none'
    return { state: 'closed', finding: `port ${name} refuses; the guest offers ${found}`, remarks: [] }
  }
  if (heard !== 'silence') {
    const different = mismatch('answer', wanted, heard)
    if (different) return { state: 'closed', finding: `port ${name}: ${different}`, remarks: [] }
    return { state: 'open', finding: `port ${name} answers ${shown(heard)}`, remarks: [] }
  }
  if (wanted !== undefined)
    return {
      state: 'closed',
      finding: `port ${name} gave no answer within ${UDP_SILENCE / 1000} s`,
      remarks: [],
    }
  return await askGuest(guest, name, 'it kept silent, as UDP may', signal)
}

/** Milliseconds in which an answer over UDP should have come. */
const UDP_SILENCE = 3_000

/** One attempt to connect by TCP. `no-answer` when there is nobody who could refuse. */
function knock({ host, port }: Endpoint, signal: AbortSignal): Promise<'accepted' | 'refused' | 'silence'> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal })
    const timer = setTimeout(() => {
      socket.destroy()
      resolve('silence')
    }, SILENCE)
    socket.on('close', () => clearTimeout(timer))
    socket.on('connect', () => {
      socket.destroy()
      resolve('accepted')
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') resolve('refused')
      else if (error.code === 'ETIMEDOUT') resolve('silence')
      else
        reject(
          new ApplianceError('no-answer', `the machine cannot be reached: ${error.message}`, {
            cause: error,
          }),
        )
    })
  })
}

async function askGuest(guest: Guest, name: string, why: string, signal: AbortSignal): Promise<PortFinding> {
  const found = offered(await listenersOf(guest, signal))
  const state = found.includes(name) ? 'open' : 'closed'
  return {
    state,
    finding: `port ${name} is ${state}: the guest offers ${found.join(', ') || 'none'}`,
    remarks: [`port ${name} was judged by the guest's own list of sockets (ss), because ${why}`],
  }
}

/** The guest's listening sockets. */
export async function listenersOf(guest: Guest, signal: AbortSignal): Promise<Listener[]> {
  const { status, stdout, stderr } = await guest.run(LIST_LISTENERS, {
    signal,
    timeout: 60_000,
    allowFailure: true,
  })
  if (status === 0) return parseListeners(stdout)
  throw new ApplianceError(
    'guest-failed',
    `the guest's sockets could not be listed: ${stderr.trim() || status}`,
    {
      hint: 'The guest needs ss, of the package iproute2.',
    },
  )
}

function onlyInside(listeners: readonly Listener[], port: number): string {
  const inside = listeners.find((listener) => listener.port === port && !isOutside(listener))
  return inside ? ` (port ${port} only on ${inside.address})` : ''
}
