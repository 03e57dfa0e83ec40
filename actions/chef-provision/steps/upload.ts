import { lstat, readdir, readlink, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256File } from '../../lib/files/digest.ts'
import type { Guest } from '../../lib/guest/guest.ts'
import { quote } from '../../lib/guest/quote.ts'
import type { Runner } from '../provisioning.ts'
import { inTime } from './in-time.ts'

/** A file or a folder: of it, what the guest does not have yet as it is here. */
export const upload: Runner<'upload'> = async (step, { guest, work }) => {
  const wanted = await localTree(step.from, step.mode, step.owner ?? 'root', step.group ?? 'root')
  return await inTime(step, work.signal, async (signal) => {
    const options = {
      ...(step.owner ? { owner: step.owner } : {}),
      ...(step.group ? { group: step.group } : {}),
      ...(step.mode === undefined ? {} : { mode: step.mode }),
      signal,
    }
    const single = wanted.has('')
    const there = single ? await guestFile(guest, step.to, signal) : await guestTree(guest, step.to, signal)
    // A folder that is there already stays as it is (see UploadOptions); only its being there counts.
    const same = (path: string, like: string) =>
      there.get(path) === like || (like.startsWith('d ') && there.get(path)?.startsWith('d '))
    const only = [...wanted].flatMap(([path, like]) => (same(path, like) ? [] : [path]))
    const counts = { sent: only.length, there: wanted.size - only.length }
    if (there.size === 0) await guest.upload(step.from, step.to, options)
    else if (only.length > 0) await guest.upload(step.from, step.to, single ? options : { ...options, only })
    if (counts.there > 0) work.log.info(`${step.title}: ${counts.sent} of ${wanted.size} had to be sent`)
    return { upload: counts }
  })
}

/** Path → kind, mode, owner and content, as one text: the same for two that need not be sent. '' is a single file. */
type Tree = Map<string, string>

async function localTree(
  from: string,
  mode: number | undefined,
  owner: string,
  group: string,
): Promise<Tree> {
  const tree: Tree = new Map()
  // The one that the step names is followed, as by whoever sends it.
  const root = await realpath(from)
  await add('')
  return tree

  async function add(path: string): Promise<void> {
    const at = join(root, path)
    const status = await lstat(at)
    const own = (bits: number) => bits.toString(8)
    if (status.isSymbolicLink()) tree.set(path, `l ${owner} ${group} ${await readlink(at)}`)
    else if (status.isDirectory()) {
      if (path) tree.set(path, `d ${own(treeBits(status.mode & 0o7777, mode, true))} ${owner} ${group}`)
      for (const child of (await readdir(at)).sort()) await add(path ? `${path}/${child}` : child)
    } else if (status.isFile()) {
      const bits = status.mode & 0o7777
      // A file of its own gets the very mode that is asked for.
      const given = path ? treeBits(bits, mode, false) : (mode ?? bits)
      tree.set(path, `f ${own(given)} ${owner} ${group} ${await sha256File(at)}`)
    }
  }
}

/** The mode that something of a tree gets: as chmod's X, who may read what can be entered or run, may do so. */
function treeBits(own: number, mode: number | undefined, folder: boolean): number {
  if (mode === undefined) return own
  const runs = folder || (own & 0o111) !== 0
  return [6, 3, 0].reduce((bits, shift) => {
    const part = (mode >> shift) & 7
    return bits | ((part & 4 && runs ? part | 1 : part) << shift)
  }, mode & 0o7000)
}

async function guestFile(guest: Guest, to: string, signal: AbortSignal): Promise<Tree> {
  const at = quote(to)
  const { status, stdout } = await guest.run(
    `test -f ${at} && test ! -L ${at} && find ${at} -maxdepth 0 -printf 'f %m %u %g ' && sha256sum < ${at}`,
    { allowFailure: true, signal, title: `looking at ${to}` },
  )
  return new Map(status === 0 ? [['', stdout.replace(/ +-\n$/, '')]] : [])
}

async function guestTree(guest: Guest, to: string, signal: AbortSignal): Promise<Tree> {
  const at = quote(to)
  const { status, stdout } = await guest.run(
    `test -d ${at} && cd ${at} && find . -mindepth 1 -type f -printf '%m %u %g %P\\0' && ` +
      "printf '===\\0' && find . -mindepth 1 -type f -print0 | xargs -0 -r sha256sum -z && printf '===\\0' && find . -mindepth 1 '(' -type d -printf 'd %m %u %g %P\\0\\0' -o -type l -printf 'l %u %g %P\\0%l\\0' ')'",
    { allowFailure: true, signal, title: `looking at ${to}` },
  )
  const tree: Tree = new Map()
  if (status !== 0) return tree
  const all = stdout.split('\0')
  const sums = all.indexOf('===')
  const rest = all.indexOf('===', sums + 1)
  const digests = new Map(
    all.slice(sums + 1, rest).flatMap((line) => {
      const [, digest, path] = /^([0-9a-f]{64}) [ *]\.\/([\s\S]+)$/.exec(line) ?? []
      return digest && path ? [[path, digest] as const] : []
    }),
  )
  for (const line of all.slice(0, sums)) {
    const [, mode, owner, group, path] = /^(\d+) (\S+) (\S+) ([\s\S]+)$/.exec(line) ?? []
    if (path) tree.set(path, `f ${mode} ${owner} ${group} ${digests.get(path)}`)
  }
  const fields = all.slice(rest + 1)
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const [, folder, link, path] = /^(?:d (\d+ \S+ \S+)|l (\S+ \S+)) ([\s\S]+)$/.exec(fields[index]!) ?? []
    if (path) tree.set(path, folder ? `d ${folder}` : `l ${link} ${fields[index + 1]}`)
  }
  return tree
}
