import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ApplianceError } from '../errors/error.ts'
import { textOf } from '../files/text.ts'
import type { Log } from '../log/log.ts'
import { type RunningCommand, run, start } from '../process/command.ts'
import { judged } from './attempts.ts'
import { dnsmasqArguments, foreignNames, givenAddress, MIRROR } from './dnsmasq.ts'
import { type Attempt, COMPUTER, type MachineNetwork, type Plug } from './network.ts'
import { listSets, parseSets, ruleset } from './nftables.ts'

/** The bridge that machines are plugged into. */
export const BRIDGE = 'appliance0'
const ADDRESS = '10.77.0.1'
export const NETWORK_RANGE = '10.77.0.0/24'
const RANGE = ['10.77.0.10', '10.77.0.250'] as const
/** Fixed: a bridge would otherwise take its MAC from its ports, and running guests would lose us with each plug. */
const MAC = '52:54:00:77:00:01'

export interface NetworkOptions {
  /** Serves the mirror over HTTP until it is disposed of. */
  serve: (host: string, port: number) => Promise<AsyncDisposable>
  log: Log
}

/**
 * The machines' network, to be made *inside* a network namespace of our own (see `enter.ts`): a bridge, one tap a
 * machine, dnsmasq, the mirror. Nothing else exists there, and who asks for something else is remembered.
 */
export async function privateNetwork({ serve, log }: NetworkOptions): Promise<MachineNetwork> {
  const directory = await mkdtemp(join(tmpdir(), 'appliance-net-'))
  const opened: AsyncDisposable[] = [
    { [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) },
  ]
  const close = async () => {
    while (opened.length > 0) await opened.pop()![Symbol.asyncDispose]()
  }
  try {
    opened.push(await makeBridge())
    await useRules(directory, log)
    const dnsLog = join(directory, 'dnsmasq.log')
    opened.push(await startDnsmasq(directory, dnsLog))
    opened.push(await serve(ADDRESS, 80))
    log.debug(`private network: ${BRIDGE} ${ADDRESS}/24, the mirror at http://${MIRROR}`)
    const taps = { next: 0 }
    const machines = new Map<string, string>()
    return {
      kind: 'private',
      mirrorUrl: `http://${MIRROR}`,
      hostAddress: ADDRESS,
      plug({ name, mac, address }) {
        machines.set(mac, name)
        return plugTap(`tap${taps.next++}`, mac, dnsLog, address)
      },
      async escapes() {
        const { stdout } = await run('nft', listSets, { keep: 256 << 20 })
        return judged(attempts(stdout, await readFile(dnsLog, 'utf8'), machines))
      },
      [Symbol.asyncDispose]: close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/**
 * What the packet filter and the resolver remember, with who it was: a machine by the address that it was given.
 *
 * @param machines MAC → name, as they were plugged in
 */
export function attempts(sets: string, dnsLog: string, machines: ReadonlyMap<string, string>): Attempt[] {
  const names = new Map<string, string>()
  for (const [mac, name] of machines) {
    const address = givenAddress(dnsLog, mac)
    if (address !== undefined) names.set(address, `machine ${name}`)
  }
  // A guest may have taken another address (IPv6 among them); where there is one machine, it was that one.
  const only = machines.size === 1 ? `machine ${[...machines.values()][0]}` : undefined
  const who = (from: string | undefined) =>
    from === undefined || from === ADDRESS || from.startsWith('127.')
      ? COMPUTER
      : (names.get(from) ?? only ?? `a machine at ${from}`)
  return [
    ...foreignNames(dnsLog).map(({ from, name, times }) => ({ who: who(from), to: name, how: 'dns', times })),
    ...parseSets(sets).map(({ from, to, how, times }) => ({ who: who(from), to, how, times })),
  ]
}

async function makeBridge(): Promise<AsyncDisposable> {
  await run('ip', ['link', 'set', 'lo', 'up'])
  await run('ip', ['link', 'add', BRIDGE, 'address', MAC, 'type', 'bridge'])
  // Where /proc/sys is read-only (containers), the rules alone keep IPv6 silent.
  await writeFile(`/proc/sys/net/ipv6/conf/${BRIDGE}/disable_ipv6`, '1').catch(() => {})
  await run('ip', ['address', 'add', `${ADDRESS}/24`, 'dev', BRIDGE])
  await run('ip', ['link', 'set', BRIDGE, 'up'])
  // It leads nowhere; but without one, the kernel refuses before anyone can remember who was to be reached.
  await run('ip', ['route', 'replace', 'default', 'dev', 'lo'])
  return {
    [Symbol.asyncDispose]: async () =>
      void (await run('ip', ['link', 'delete', BRIDGE], { allowFailure: true })),
  }
}

async function useRules(directory: string, log: Log): Promise<void> {
  const file = join(directory, 'rules.nft')
  const rules = { device: BRIDGE, address: ADDRESS, network: NETWORK_RANGE }
  await writeFile(file, ruleset({ ...rules, redirect: true }))
  const { status, stderr } = await run('nft', ['-f', file], { allowFailure: true })
  if (status === 0) return
  log.debug(`private network: other resolvers are not answered for, because ${stderr.trim().split('\n')[0]}`)
  await writeFile(file, ruleset({ ...rules, redirect: false }))
  await run('nft', ['-f', file])
}

/** Resolves when dnsmasq says that it is ready. */
async function startDnsmasq(directory: string, log: string): Promise<RunningCommand> {
  const leases = join(directory, 'leases')
  const dnsmasq = await start(
    'dnsmasq',
    dnsmasqArguments({ device: BRIDGE, address: ADDRESS, range: RANGE, log, leases }),
  )
  let status: number | undefined
  dnsmasq.ended.then(
    (code) => {
      status = code
    },
    () => {
      status = -1
    },
  )
  for (let tries = 0; tries < 200; tries++) {
    if (/ DHCP, IP range /.test(await textOf(log))) return dnsmasq
    if (status !== undefined) break
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  await dnsmasq.stop()
  const said = dnsmasq.stderrTail().trim() || (await textOf(log)).trim().split('\n').at(-1)
  throw new ApplianceError('command-failed', `dnsmasq did not start: ${said || `status ${status ?? 'none'}`}`)
}

async function plugTap(device: string, mac: string, dnsLog: string, known?: string): Promise<Plug> {
  await run('ip', ['tuntap', 'add', 'dev', device, 'mode', 'tap'])
  await run('ip', ['link', 'set', device, 'master', BRIDGE, 'up'])
  // What the same MAC was given before this plug was made says nothing about the machine that is now behind it.
  const before = (await stat(dnsLog)).size
  const address = async () => {
    const log = await readFile(dnsLog)
    return givenAddress(log.subarray(before).toString(), mac) ?? known
  }
  return {
    netdev: ['-netdev', `tap,id=net0,ifname=${device},script=no,downscript=no`],
    address,
    async reach(port) {
      const host = await address()
      if (host) return { host, port, connectionProves: true }
      throw new ApplianceError(
        'no-answer',
        `the machine has asked for no address yet; its port ${port} is nowhere`,
      )
    },
    [Symbol.asyncDispose]: async () =>
      void (await run('ip', ['link', 'delete', device], { allowFailure: true })),
  }
}
