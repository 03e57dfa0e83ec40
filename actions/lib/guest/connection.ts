import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError } from '../errors/error.ts'
import { exists } from '../files/exists.ts'
import type { Login } from '../hypervisor/hypervisor.ts'
import { type RunningCommand, start } from '../process/command.ts'

/** A guest's SSH server and how to get in. */
export interface SshTarget {
  host: string
  port: number
  login: Pick<Login, 'user' | 'key' | 'password' | 'old'>
  /** A folder of the machine's own for sockets; its path must be short (a socket's is at most 107 bytes). */
  directory: string
}

/** An SSH connection that commands share. It is a child of ours in the foreground, so it ends with us. */
export interface Connection extends AsyncDisposable {
  /** Arguments for ssh to use the connection; the remote command follows. */
  readonly args: readonly string[]
  readonly user: string
  /** Whether the connection still stands, as far as this side knows. */
  alive(): boolean
  /** For messages: `root@10.77.0.12`. */
  readonly name: string
}

let connections = 0

/**
 * One attempt to connect. Gives undefined when the guest does not answer (yet) or doesn't let us in (yet: the key
 * may still be on its way into it); what ssh said goes to `said`.
 */
export async function connect(
  target: SshTarget,
  signal: AbortSignal,
  said: (words: string) => void,
): Promise<Connection | undefined> {
  signal.throwIfAborted()
  const { host, port, login, directory } = target
  const socket = join(directory, `ssh${connections++}`)
  const name = `${login.user}@${host}`
  const master = await start(
    'ssh',
    [
      ...options(target),
      ...settings({ ControlPath: socket, ControlMaster: 'yes' }),
      '-N',
      '-p',
      String(port),
      name,
    ],
    { env: login.password === undefined ? {} : await passwordAnswer(login.password, directory) },
  )
  let ended = false
  const over = master.ended
    .catch(() => {})
    .then(() => {
      ended = true
    })
  try {
    // The socket appears when we are logged in.
    while (!ended && !(await exists(socket))) {
      signal.throwIfAborted()
      await Promise.race([over, new Promise((resolve) => setTimeout(resolve, 20))])
    }
  } catch (error) {
    await master.stop(0)
    throw error
  }
  if (ended) {
    said(master.stderrTail().trim())
    return undefined
  }
  return {
    // Without BatchMode and ProxyCommand a client that finds no master would go and connect by itself.
    args: [
      '-F',
      'none',
      '-S',
      socket,
      '-o',
      'ControlMaster=no',
      '-o',
      'ProxyCommand=false',
      '-o',
      'BatchMode=yes',
      '-o',
      'LogLevel=ERROR',
      name,
    ],
    user: login.user,
    name,
    alive: () => !ended,
    [Symbol.asyncDispose]: () => stopQuickly(master),
  }
}

/** A machine that was rolled back or killed never answers a goodbye. */
function stopQuickly(master: RunningCommand): Promise<void> {
  return master.stop(200)
}

/**
 * The user's own configuration, agent, keys and known hosts stay out of it: a machine of ours has new host keys with
 * each boot, and there is nobody between us and it.
 */
function options({ login }: SshTarget): string[] {
  const { key, password, old } = login
  const usual = settings({
    BatchMode: password === undefined ? 'yes' : 'no',
    ConnectTimeout: '5',
    ControlPersist: 'no',
    GSSAPIAuthentication: 'no',
    GlobalKnownHostsFile: '/dev/null',
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    // First what an emulated processor does quickest; between us and a machine of ours nobody listens for decades.
    KexAlgorithms: '^curve25519-sha256',
    LogLevel: 'ERROR',
    NumberOfPasswordPrompts: '1',
    PreferredAuthentications: [key ? 'publickey' : [], password === undefined ? [] : PASSWORD]
      .flat()
      .join(','),
    ServerAliveCountMax: '4',
    ServerAliveInterval: '15',
    StrictHostKeyChecking: 'no',
    UserKnownHostsFile: '/dev/null',
  })
  return ['-F', 'none', ...(key ? ['-i', key] : []), ...(old ? settings(OLD) : []), ...usual]
}

const PASSWORD = ['password', 'keyboard-interactive']

/** What OpenSSH no longer offers by itself and servers of ten years ago need. @see https://www.openssh.com/legacy.html */
const OLD = {
  HostKeyAlgorithms: '+ssh-rsa',
  PubkeyAcceptedAlgorithms: '+ssh-rsa',
  KexAlgorithms: '+diffie-hellman-group14-sha1,diffie-hellman-group-exchange-sha1,diffie-hellman-group1-sha1',
  Ciphers: '+aes128-cbc,3des-cbc',
}

function settings(given: Readonly<Record<string, string>>): string[] {
  return Object.entries(given).flatMap(([name, value]) => ['-o', `${name}=${value}`])
}

/**
 * Has ssh ask a program of ours for the password, which it finds in its environment: among no arguments, in no file.
 *
 * @see ssh(1) SSH_ASKPASS, SSH_ASKPASS_REQUIRE (OpenSSH 8.4 and later)
 */
async function passwordAnswer(password: string, directory: string): Promise<Record<string, string>> {
  const program = join(directory, 'askpass')
  await writeFile(program, '#!/bin/sh\nprintf "%s\\n" "$APPLIANCE_PASSWORD"\n', { mode: 0o700 })
  return { SSH_ASKPASS: program, SSH_ASKPASS_REQUIRE: 'force', APPLIANCE_PASSWORD: password }
}

/** Connects as soon as the guest lets us, trying until `deadline` (of `performance.now()`). */
export async function connectBy(
  target: SshTarget,
  deadline: number,
  signal: AbortSignal,
): Promise<Connection> {
  let last = ''
  do {
    const connection = await connect(target, signal, (words) => {
      last = words
    })
    if (connection) return connection
    await new Promise((resolve) => setTimeout(resolve, 300))
  } while (performance.now() < deadline)
  throw new ApplianceError(
    'no-answer',
    `no answer from SSH at ${target.host}${last ? `: ${last.split('\n').at(-1)}` : ''}`,
  )
}
