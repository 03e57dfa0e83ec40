import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { ApplianceError } from '../../../actions/lib/errors/error.ts'
import type { Guest, GuestResult, GuestRunOptions, Terminal } from '../../../actions/lib/guest/guest.ts'
import type {
  Endpoint,
  Hypervisor,
  Machine,
  MachineSpec,
  Power,
} from '../../../actions/lib/hypervisor/hypervisor.ts'

export interface LocalOptions {
  /** false: remembering the running machine is refused, as with an NVMe controller. */
  snapshots?: boolean
  /** false: as with QEMU's user network, a connection to a closed port is accepted all the same. */
  connectionProves?: boolean
  /** Files of the pristine machine: path → content. */
  files?: Record<string, string>
  /** What is reached as guest port 443. */
  tlsPort?: number
  /** What it says on its serial console after its first words. */
  serial?: string
}

/**
 * A driver whose machine is a folder on this computer: commands run in it with /bin/sh (`$ROOT` is its root), and
 * its HTTP server keeps licences in a file, so that a rollback really forgets them. Guest port 80 is that server;
 * no other port listens. It makes the engine's every path run for real in milliseconds.
 */
export class LocalHypervisor implements Hypervisor {
  readonly name = 'local'
  readonly can = ['power'] as const
  readonly options: LocalOptions
  boots = 0
  rollbacks = 0
  /** The machine of the moment, so that a test can break it. */
  machine: LocalMachine | undefined

  constructor(options: LocalOptions = {}) {
    this.options = options
  }

  async preflight() {
    return []
  }

  async boot(spec: MachineSpec) {
    this.boots++
    const folder = await mkdtemp(join(tmpdir(), 'appliance-machine-'))
    this.machine = new LocalMachine(this, folder, spec.evidence)
    await this.machine.begin()
    return this.machine
  }
}

export class LocalMachine implements Machine {
  readonly evidence: string[]
  readonly hypervisor: LocalHypervisor
  readonly root: string
  readonly folder: string
  dead = false
  #forGood = false
  #server: Server | undefined
  #port = 0

  constructor(hypervisor: LocalHypervisor, folder: string, evidence: string) {
    this.hypervisor = hypervisor
    this.folder = folder
    this.root = join(folder, 'root')
    this.evidence = [join(evidence, 'serial.log')]
  }

  async begin() {
    await mkdir(dirname(this.evidence[0]!), { recursive: true })
    await writeFile(this.evidence[0]!, `the local machine began\n${this.hypervisor.options.serial ?? ''}`)
    for (const [path, content] of Object.entries({ ...ownFiles, ...this.hypervisor.options.files })) {
      await mkdir(dirname(join(this.root, path)), { recursive: true })
      await writeFile(join(this.root, path), content, { mode: path.startsWith('/bin/') ? 0o755 : 0o644 })
    }
    await this.#serve()
  }

  async guest(): Promise<Guest> {
    if (this.dead) throw new ApplianceError('no-answer', 'the machine does not answer')
    return new LocalGuest(this)
  }

  async address() {
    return '127.0.0.1'
  }

  async reach(port: number): Promise<Endpoint> {
    const connectionProves = this.hypervisor.options.connectionProves ?? true
    if (port === 80) return { host: '127.0.0.1', port: this.#port, connectionProves }
    const { tlsPort } = this.hypervisor.options
    if (port === 443 && tlsPort !== undefined) return { host: '127.0.0.1', port: tlsPort, connectionProves }
    // A port that surely is closed: one that was ours a moment ago. Without proof, one that accepts.
    return { host: '127.0.0.1', port: connectionProves ? await freePort() : this.#port, connectionProves }
  }

  async screenshot(path: string) {
    if (this.dead) throw new Error('no screen')
    await writeFile(path, Buffer.from('89504e470d0a1a0a', 'hex'))
  }

  async snapshot(name: string) {
    if (this.hypervisor.options.snapshots === false)
      throw new ApplianceError('command-failed', 'savevm: the NVMe controller cannot be migrated')
    await cp(this.root, join(this.folder, name), { recursive: true })
  }

  get console(): never {
    throw new ApplianceError('internal', 'the local machine has neither keyboard nor screen')
  }

  async checkpoint(): Promise<undefined> {
    throw new ApplianceError('command-failed', 'its disk is thrown away')
  }

  /** As when QEMU itself is killed: not even a rollback brings it back. */
  dieForGood() {
    this.dead = true
    this.#forGood = true
  }

  async rollback(name: string) {
    if (this.#forGood) throw new ApplianceError('no-answer', 'the machine is gone')
    this.hypervisor.rollbacks++
    await rm(this.root, { recursive: true })
    await cp(join(this.folder, name), this.root, { recursive: true })
    this.dead = false
  }

  async shutdown() {
    return true
  }

  /** Off, it answers nothing; what was written stays, and `/run` is empty afterwards. */
  readonly power: Power = {
    off: async () => {
      this.dead = true
      return true
    },
    cut: async () => {
      this.dead = true
    },
    on: async () => {
      await rm(join(this.root, 'run'), { recursive: true, force: true })
      this.dead = false
    },
  }

  async [Symbol.asyncDispose]() {
    this.#server?.closeAllConnections()
    this.#server?.close()
    await rm(this.folder, { recursive: true, force: true })
  }

  /** `POST /licenses {key}` 201, `GET /licenses/KEY` 200 or 404, `/old` redirects, `/health`, `/endless`, `/silent`, `/slow`. */
  async #serve() {
    const store = join(this.root, 'licenses.json')
    const read = async () => JSON.parse(await readFile(store, 'utf8').catch(() => '[]')) as string[]
    this.#server = createServer(async (request, response) => {
      const body: Buffer[] = []
      for await (const chunk of request) body.push(chunk as Buffer)
      const send = (status: number, value: unknown, headers = {}) =>
        response
          .writeHead(status, { 'content-type': 'application/json', ...headers })
          .end(JSON.stringify(value))
      if (this.dead) return void request.socket.destroy()
      const [, first, key] = request.url!.split('/')
      if (request.method === 'POST' && first === 'licenses') {
        await writeFile(
          store,
          JSON.stringify([...(await read()), JSON.parse(Buffer.concat(body).toString()).key]),
        )
        return void send(201, { stored: true })
      }
      if (first === 'licenses' && (await read()).includes(key!))
        return void send(200, { key, seats: 5, tags: ['a', 'b'] })
      if (first === 'health') return void send(200, { status: 'ok' })
      if (first === 'echo')
        return void send(200, { headers: request.headers, body: Buffer.concat(body).toString() })
      if (first === 'old') return void send(302, {}, { location: '/health' })
      if (first === 'silent') return
      if (first === 'slow') return void response.writeHead(200).write('half of it')
      if (first === 'endless') {
        response.writeHead(200)
        const chunk = Buffer.alloc(1 << 20, 'x')
        while (!response.destroyed) {
          if (!response.write(chunk))
            await new Promise((resolve) => response.once('drain', resolve).once('close', resolve))
        }
        return
      }
      send(404, { error: 'not found' })
    })
    await new Promise<void>((resolve) => this.#server!.listen(0, '127.0.0.1', resolve))
    this.#port = (this.#server.address() as AddressInfo).port
  }
}

class LocalGuest implements Guest {
  readonly machine: LocalMachine

  constructor(machine: LocalMachine) {
    this.machine = machine
  }

  async run(commandLine: string, options: GuestRunOptions = {}): Promise<GuestResult> {
    if (this.machine.dead) throw new ApplianceError('no-answer', 'the connection to the guest broke')
    const { root, folder } = this.machine
    // The guest's own programs come first: its sockets, units and journal are not this computer's.
    const PATH = `${join(root, 'bin')}:${process.env.PATH}`
    const child = spawn('/bin/sh', ['-c', commandLine], {
      cwd: root,
      env: { HOME: folder, PATH, ROOT: root, ...(options.as ? { LOGIN: options.as } : {}), ...options.env },
      detached: true,
    })
    const kill = () => {
      try {
        process.kill(-child.pid!, 'SIGKILL')
      } catch {
        // It has ended.
      }
    }
    options.signal?.addEventListener('abort', kill)
    const result = { status: 0, stdout: '', stderr: '' }
    child.stdout.on('data', (chunk) => {
      result.stdout += chunk
      options.onOutput?.(String(chunk), 'stdout')
    })
    child.stderr.on('data', (chunk) => {
      result.stderr += chunk
      options.onOutput?.(String(chunk), 'stderr')
    })
    child.stdin.on('error', () => {})
    child.stdin.end(options.input ?? '')
    const watch = setInterval(() => this.machine.dead && kill(), 20)
    result.status = await new Promise<number>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code) => resolve(code ?? 137))
    }).finally(() => {
      clearInterval(watch)
      options.signal?.removeEventListener('abort', kill)
    })
    options.signal?.throwIfAborted()
    if (this.machine.dead) throw new ApplianceError('no-answer', 'the connection to the guest broke')
    if (result.status !== 0 && !options.allowFailure)
      throw new ApplianceError('guest-failed', `${options.title ?? commandLine} failed (${result.status})`)
    return result
  }

  async terminal(commandLine: string, options: Pick<GuestRunOptions, 'env'> = {}): Promise<Terminal> {
    const { root, folder } = this.machine
    const PATH = `${join(root, 'bin')}:${process.env.PATH}`
    const child = spawn('script', ['-qec', commandLine, '/dev/null'], {
      cwd: root,
      env: { HOME: folder, PATH, TERM: 'dumb', ROOT: root, SHELL: '/bin/sh', ...options.env },
    })
    child.stdin.on('error', () => {})
    return {
      onText: (hear) => void child.stdout.setEncoding('utf8').on('data', hear),
      type: (keys) => void child.stdin.write(keys),
      ended: new Promise((resolve) => child.once('close', (code) => resolve(code ?? 137))),
      async [Symbol.asyncDispose]() {
        child.kill('SIGKILL')
      },
    }
  }

  async upload(from: string, to: string) {
    await mkdir(dirname(join(this.machine.root, to)), { recursive: true })
    await cp(from, join(this.machine.root, to), { recursive: true })
  }

  async download(from: string, to: string) {
    if (!existsSync(join(this.machine.root, from)))
      throw new ApplianceError('guest-failed', `there is no ${from}`)
    await cp(join(this.machine.root, from), to, { recursive: true })
  }

  async [Symbol.asyncDispose]() {}
}

const ownFiles: Record<string, string> = {
  '/etc/motd': 'pristine\n',
  '/bin/ss': '#!/bin/sh\necho "tcp LISTEN 0 128 *:80 *:*"\necho "tcp LISTEN 0 128 127.0.0.1:5432 *:*"\n',
  '/bin/systemctl': `#!/bin/sh
case "$1" in
  is-system-running) echo running ;;
  show) echo LoadState=not-found ;;
esac
`,
  // The clock of this computer is not to be set.
  '/bin/date':
    '#!/bin/sh\ncase "$*" in *-s*) echo "date $*" >>"$ROOT/clock" ;; *) exec /bin/date "$@" ;; esac\n',
  '/bin/journalctl': '#!/bin/sh\necho "the journal of this boot"\n',
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
