import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, posix, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { ApplianceError } from '../errors/error.ts'
import { followedTree } from '../files/followed.ts'
import { ending, launch } from '../process/command.ts'
import type { Connection } from './connection.ts'
import type { Guest, UploadOptions } from './guest.ts'
import { quote } from './quote.ts'

/**
 * Copies a file or folder into the guest by tar, which keeps modes and symlinks and needs only tar in the guest.
 * A file appears under its name whole or not at all; a folder's content is laid over what is there.
 */
export async function uploadPath(
  connection: Connection,
  from: string,
  to: string,
  options: UploadOptions,
): Promise<void> {
  if (!posix.isAbsolute(to))
    throw new ApplianceError('input', `upload: ${to} is no absolute path in the guest`)
  const status = await stat(from).catch(() => {
    throw new ApplianceError('input', `upload: there is no ${from}`)
  })
  const what = {
    title: `upload of ${basename(from)} to ${to}`,
    ...(options.signal ? { signal: options.signal } : {}),
  }
  const own = options.ownFile === true
  const sudo = connection.user === 'root' || own ? '' : 'sudo -n '
  const parent = posix.dirname(to)
  const { owner, group } = options
  const known = [
    owner && `id -u ${quote(owner)} >/dev/null`,
    group &&
      `{ getent group ${quote(group)} >/dev/null || { echo ${quote(`there is no group ${group}`)} >&2; exit 1; }; }`,
  ]
  // Asked in the same breath: each question to an emulated guest takes its time.
  const ready = [...known.filter(Boolean), `${sudo}mkdir -p ${quote(parent)}`].join(' && ')
  const send = async (args: readonly string[], place: string) =>
    await through('tar', args, [...connection.args, `exec /bin/sh -c ${quote(`${ready} && ${place}`)}`], what)

  const pack = [
    '--create',
    '--file=-',
    '--format=gnu',
    `--owner=${archived(owner)}`,
    `--group=${archived(group)}`,
  ]
  const unpack = `${sudo}tar --extract --file=- --same-permissions --${own ? 'no-' : ''}same-owner`
  if (status.isDirectory()) {
    const mode = options.mode === undefined ? [] : [`--mode=${treeMode(options.mode)}`]
    const only = options.follow ? (await followedTree(from)).map(({ path }) => path) : options.only
    await using list = only ? await listed(only) : undefined
    const follow = options.follow ? ['--dereference'] : []
    const chosen = list ? ['--no-recursion', '--null', `--files-from=${list.path}`] : ['.']
    const args = [...pack, ...mode, ...follow, `--directory=${from}`, ...chosen]
    // A folder that is there already stays whose it is; one that is made here becomes like the original.
    const target = quote(to)
    const fresh = `${sudo}mkdir ${target} && ${unpack} --directory=${target}`
    const there = `${unpack} --no-overwrite-dir --directory=${target}`
    // Waited for here: the list lies there until tar has read it.
    return await send(args, `if test -d ${target}; then ${there}; else ${fresh}; fi`)
  }
  const mode = (options.mode ?? status.mode & 0o7777).toString(8)
  const partial = `.appliance-${randomBytes(6).toString('hex')}`
  const args = [...pack, `--mode=${mode}`, '--dereference', `--directory=${dirname(resolve(from))}`]
  // The name in the archive must be one that can stand beside the final one until all is there.
  const renamed = [`--transform=s,.*,${partial},`, '--', basename(from)]
  const place = `${sudo}mv -fT ${quote(posix.join(parent, partial))} ${quote(to)}`
  await send([...args, ...renamed], `${unpack} --directory=${quote(parent)} && ${place}`)
}

/** A file with names for tar, each ended by NUL. */
async function listed(names: readonly string[]): Promise<AsyncDisposable & { path: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'upload-'))
  const path = join(folder, 'names')
  await writeFile(path, names.map((name) => `./${name}\0`).join(''))
  return { path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}

/**
 * Copies a file or folder out of the guest, symlinks kept but for `from` itself; it appears under its name only when it
 * is whole.
 */
export async function downloadPath(
  connection: Connection,
  guest: Guest,
  from: string,
  to: string,
  signal?: AbortSignal,
): Promise<void> {
  const what = { title: `download of ${from}`, ...(signal ? { signal } : {}) }
  const sudo = connection.user === 'root' ? '' : 'sudo -n '
  await guest.run(
    `${sudo}test -e ${quote(from)} || { echo ${quote(`there is no ${from}`)} >&2; exit 1; }`,
    what,
  )
  await mkdir(dirname(resolve(to)), { recursive: true })
  const folder = await mkdtemp(join(dirname(resolve(to)), '.download-'))
  try {
    // Links within a folder stay links; the one that was asked for is followed.
    const pack = `path=$(${sudo}readlink -f -- ${quote(from)}) && exec ${sudo}tar --create --file=- --directory="\${path%/*}/" -- "\${path##*/}"`
    const remote = `exec /bin/sh -c ${quote(pack)}`
    const ssh = launch('ssh', [...connection.args, remote], {}, ['ignore', 'pipe', 'pipe'])
    const tar = launch('tar', ['--extract', '--file=-', '--no-same-owner', `--directory=${folder}`], {}, [
      'pipe',
      'ignore',
      'pipe',
    ])
    await joined([ssh, 'ssh'], [tar, 'tar'], what)
    const [name] = await readdir(folder)
    await rm(to, { recursive: true, force: true })
    await rename(join(folder, name!), to)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Pipes a program of this computer into ssh. */
async function through(
  program: string,
  args: readonly string[],
  sshArgs: readonly string[],
  what: { title: string; signal?: AbortSignal },
) {
  const source = launch(program, args, {}, ['ignore', 'pipe', 'pipe'])
  const ssh = launch('ssh', sshArgs, {}, ['pipe', 'ignore', 'pipe'])
  await joined([source, program], [ssh, 'ssh'], what)
}

type Named = [child: ReturnType<typeof launch>, name: string]

async function joined(
  from: Named,
  to: Named,
  { title, signal }: { title: string; signal?: AbortSignal },
): Promise<void> {
  const ends = [from, to].map(async ([child, name]) => {
    let said = ''
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4096)
    })
    return { name, status: await ending(child, name), said: said.trim() }
  })
  const stop = () => {
    for (const [child] of [from, to]) child.kill('SIGTERM')
  }
  signal?.addEventListener('abort', stop, { once: true })
  try {
    const flow = pipeline(from[0].stdout!, to[0].stdin!).catch(() => {}) // the programs say better what was wrong
    const results = await Promise.all(ends)
    await flow
    signal?.throwIfAborted()
    const failed = results.filter(({ status }) => status !== 0)
    if (failed.length === 0) return
    // The one that spoke knows why; the other one only lost its partner.
    const { name, status, said } = failed.find((result) => result.said !== '') ?? failed[0]!
    throw new ApplianceError(
      'guest-failed',
      `${title} failed (${name}: ${status})${said ? `: ${reasonIn(said)}` : ''}`,
    )
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}

/** The last line that says something: tar ends with "Error is not recoverable: exiting now" whatever it was. */
function reasonIn(said: string): string {
  const lines = said.split('\n')
  return lines.findLast((line) => !/exiting now|Exiting with failure status/.test(line)) ?? lines.at(-1)!
}

/** A name this computer doesn't know needs a number beside it, which the guest ignores when it knows the name. */
function archived(owner = 'root'): string {
  return /^\d+$/.test(owner) ? `+${owner}` : owner === 'root' ? 'root:0' : `${owner}:65534`
}

/**
 * A mode for a tree: as given for files; folders, where they may be read, may also be entered. Set-user-id,
 * set-group-id and the sticky bit are everything's, as `chmod -R` would have it.
 */
function treeMode(mode: number): string {
  const of = (bits: number, special: string) =>
    `${bits & 4 ? 'r' : ''}${bits & 2 ? 'w' : ''}${bits & 1 ? 'x' : bits & 4 ? 'X' : ''}${special}`
  const [user, group, others] = [mode & 0o4000 ? 's' : '', mode & 0o2000 ? 's' : '', mode & 0o1000 ? 't' : '']
  const parts = [`u=${of(mode >> 6, user)}`, `g=${of(mode >> 3, group)}`, `o=${of(mode, others)}`]
  // X asks whether anybody may run it, after what stands before it: so it comes first, to ask for the file's own mode.
  return parts.sort((one, other) => Number(other.includes('X')) - Number(one.includes('X'))).join(',')
}
