import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { InputError, refuse } from '../lib/errors/fault.ts'
import { nearest } from '../lib/errors/nearest.ts'
import { buildKey } from '../lib/guest/key.ts'
import { quote } from '../lib/guest/quote.ts'
import { ending, launch } from '../lib/process/command.ts'
import { flag, type InputDeclarations, path, text } from '../lib/stage/input.ts'
import { parseFlags } from '../lib/stage/parse.ts'
import type { Request } from '../vm-validate/control.ts'
import { socketOf } from '../vm-validate/socket.ts'
import { sshConfig } from '../vm-validate/suites-run.ts'
import type { Door } from './inside.ts'
import { everywhere, projectOf } from './project.ts'
import { ask, isServed, knock, relay } from './vm-client.ts'
import { startKeeper } from './vm-keeper.ts'

interface Action {
  summary: string
  /** What stands after it that is no flag, for the help. */
  words?: string
  inputs?: InputDeclarations
}

/** What `appliance vm` can do, in the order of the help. */
export const vmActions: Record<string, Action> = {
  boot: {
    summary: 'Boot the last disk, or an OVA; switch it on again when it is off',
    inputs: {
      ova: path('An OVA to boot instead of the disk that chef-provision made'),
      disk: path('A disk to boot instead'),
      provisioning: flag(
        'The base machine as chef-provision begins with it: Chef plugged in, and the mirror set up for apt and all',
      ),
      for: text('How long it may run, e.g. 2 h (default 8 h): nothing is left behind for ever'),
    },
  },
  status: { summary: 'Whether it runs, and where it is' },
  ssh: { summary: 'Log in as root, or run a command on your terminal', words: '[COMMAND …]' },
  run: { summary: 'Run a shell command; its output and exit status are yours', words: 'COMMAND …' },
  snapshot: { summary: 'Remember the running machine', words: 'NAME' },
  rollback: { summary: 'Go back to a snapshot, or to how it was when it had booted', words: '[NAME]' },
  screenshot: { summary: 'Write its screen as PNG', words: 'FILE' },
  reboot: { summary: 'Restart it' },
  'power-off': { summary: 'Shut it down; boot switches it on again' },
  'power-cut': { summary: 'Pull the plug; boot switches it on again' },
  stop: { summary: 'End it; everything it wrote is gone' },
  proxy: { summary: 'Connect input and output to a port of it, for ssh', words: 'PORT' },
}

/** `appliance vm ACTION`: a machine for looking around, or the very machine of a test suite (`$APPLIANCE_VM`). */
export async function vm(argv: readonly string[], door: Door): Promise<void> {
  const [word = 'help', ...rest] = argv
  const action = vmActions[word]
  if (!action) {
    if (['help', '--help', '-h'].includes(word)) return void console.log(vmHelp())
    const near = nearest(word, Object.keys(vmActions))
    return refuse([
      {
        message: `there is no appliance vm ${word}${near ? `; did you mean ${near}?` : ''} (appliance vm help)`,
      },
    ])
  }
  const { flags, words } = separated(rest, word === 'run' || word === 'ssh')
  const values: Record<string, unknown> = parseFlags({ ...everywhere, ...action.inputs }, flags)
  const own = process.env.APPLIANCE_VM
  const buildDirectory = async () => (await projectOf(values)).buildDirectory
  const socket = own ?? socketOf(await buildDirectory())
  switch (word) {
    case 'boot':
      if (own !== undefined || (await isServed(socket))) return void (await ask(socket, { do: 'boot' }))
      return await startKeeper(await projectOf(values), socket, values, door)
    case 'ssh':
      // That there is none should be said by us, not by ssh.
      await knock(socket)
      return await ssh(socket, own === undefined ? await buildKey(await buildDirectory()) : undefined, words)
    case 'proxy':
      return await relay(socket, Number(one(word, words)))
    case 'run': {
      const { status, stdout, stderr } = await ask(socket, {
        do: 'run',
        command: words.join(' ') || one(word, []),
      })
      process.stdout.write(String(stdout))
      process.stderr.write(String(stderr))
      process.exitCode = Number(status)
      return
    }
    default: {
      const answer = await ask(socket, requestOf(word, words))
      if (word === 'status') door.log.info(answer.running ? `it runs, at ${answer.address}` : 'it is off')
    }
  }
}

function requestOf(word: string, words: readonly string[]): Request {
  switch (word) {
    case 'snapshot':
      return { do: 'snapshot', name: one(word, words) }
    case 'rollback':
      return words[0] === undefined ? { do: 'rollback' } : { do: 'rollback', name: words[0] }
    case 'screenshot':
      return { do: 'screenshot', path: resolve(one(word, words)) }
    case 'power-off':
      return { do: 'power_off' }
    case 'power-cut':
      return { do: 'power_cut' }
    default:
      return { do: word as 'status' | 'reboot' | 'stop' }
  }
}

function one(action: string, words: readonly string[]): string {
  if (words[0] !== undefined) return words[0]
  throw new InputError([{ message: `appliance vm ${action} needs ${vmActions[action]!.words}` }])
}

/** Flags come first where a command line of the guest's follows, which may have flags of its own. */
function separated(argv: readonly string[], commandLine: boolean): { flags: string[]; words: string[] } {
  const flags: string[] = []
  const words: string[] = []
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at]!
    if (commandLine && (words.length > 0 || !word.startsWith('--'))) words.push(word)
    else if (!word.startsWith('--')) words.push(word)
    else {
      flags.push(word)
      if (!word.includes('=') && argv[at + 1] !== undefined && !argv[at + 1]!.startsWith('--'))
        flags.push(argv[++at]!)
    }
  }
  return { flags, words }
}

/** ssh itself, through the socket: the machine is in a network where nobody else is. */
async function ssh(socket: string, key: string | undefined, words: readonly string[]): Promise<void> {
  if (key === undefined) return await sshWith(process.env.APPLIANCE_SSH_CONFIG!, words)
  const folder = await mkdtemp(join(tmpdir(), 'appliance-ssh-'))
  try {
    const config = join(folder, 'config')
    const proxy = `env APPLIANCE_VM=${quote(socket)} ${quote(process.execPath)} ${quote(process.argv[1]!)} vm proxy %p`
    await writeFile(config, sshConfig('appliance', 22, { user: 'root', key }, proxy))
    await sshWith(config, words)
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function sshWith(config: string, words: readonly string[]): Promise<void> {
  const child = launch('ssh', ['-F', config, 'appliance', ...words], {}, ['inherit', 'inherit', 'inherit'])
  process.exitCode = await ending(child, 'ssh')
}

function vmHelp(): string {
  const rows = Object.entries(vmActions).map(([name, { words = '', summary }]) => [
    `${name} ${words}`.trim(),
    summary,
  ])
  const width = Math.max(...rows.map(([name]) => name!.length))
  return `appliance vm ACTION [--flag …]\n\n${rows.map(([name, summary]) => `  ${name!.padEnd(width)}  ${summary}`).join('\n')}`
}
