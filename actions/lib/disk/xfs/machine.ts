import { mkdir, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { ApplianceError } from '../../errors/error.ts'
import { exists } from '../../files/exists.ts'
import { textOf } from '../../files/text.ts'
import { chooseAccel } from '../../hypervisor/accel.ts'
import { processor } from '../../hypervisor/qemu/arguments.ts'
import { majorVersion, QEMU } from '../../hypervisor/qemu/version.ts'
import { run } from '../../process/command.ts'
import { type CpioEntry, cpioArchive } from './cpio.ts'
import type { Kernel } from './kernel.ts'
import { PROGRAM } from './program.ts'

export interface XfsSession {
  kernel: Kernel
  /** Root with the programs: the tools root, or `/`. */
  programs: string
  /** Raw; it is changed in place. */
  disk: string
  /** Of the file system. */
  partition: number
  /** A tar archive, for the step `fill`. */
  archive?: string
  /** Words of the job; see the program. */
  steps: readonly string[]
  /** Contents of files to write, by number. */
  files?: readonly Buffer[]
  scratch: string
  signal: AbortSignal
}

/** Programs, and the packages that have them. */
const PROGRAMS = [
  ['perl', 'perl-base'],
  ['fstrim', 'util-linux'],
  ['tar', 'tar'],
  ['xfs_repair', 'xfsprogs'],
  ['mkfs.xfs', 'xfsprogs'],
] as const

/** Slow computers take minutes for a large disk. Milliseconds. */
const LONGEST = 30 * 60_000

/**
 * Changes an XFS file system where only Linux can: in a machine of a few seconds, with the guest's own kernel and
 * nothing of the guest running in it, no network, and a clock that begins in the year 2000.
 *
 * @returns what the programs said
 * @throws ApplianceError `check-failed` with what went wrong in there; `missing-tool` naming packages
 */
export async function xfsSession(session: XfsSession): Promise<string> {
  const { kernel, disk, partition, archive, steps, files = [], scratch, signal } = session
  const folder = join(scratch, 'xfs')
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const path = (name: string) => join(folder, name)
  try {
    const job = [`/dev/vda${partition}`, ...steps].map((word) => `${word}\0`).join('')
    await writeFile(path('kernel'), kernel.image)
    await writeFile(path('initrd'), cpioArchive(await firstFiles(session, Buffer.from(job), files)))
    const { accel } = await chooseAccel('auto')
    const drive = (file: string, id: string, more: string) => [
      ...['-drive', `file=${file.replaceAll(',', ',,')},format=raw,if=none,id=${id},${more}`],
      ...['-device', `virtio-blk-pci,drive=${id}`],
    ]
    await run(
      QEMU,
      [
        ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none', '-machine', 'pc'],
        ...processor(accel, await majorVersion()),
        ...['-m', '1024M', '-rtc', 'base=2000-01-01T00:00:00,clock=vm'],
        ...['-kernel', path('kernel'), '-initrd', path('initrd')],
        ...['-append', 'console=ttyS0 panic=-1 quiet loglevel=4 rdinit=/init'],
        ...drive(disk, 'disk', 'cache=unsafe,discard=unmap,detect-zeroes=unmap'),
        ...(archive ? drive(archive, 'archive', 'readonly=on') : []),
        ...['-serial', `file:${path('console')}`, '-serial', `file:${path('said')}`],
      ],
      { signal, timeout: LONGEST },
    )
    return judged(await read(path('said')), await read(path('console')))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function read(path: string): Promise<string> {
  return (await textOf(path)).replaceAll('\r\n', '\n')
}

/** What xfs_repair says of a file system that is newer than itself. */
const TOO_NEW = /more recent xfs_repair|newer xfsprogs|unsupported filesystem features/i

/** @returns what was said, where all went well. Exported for its test. */
export function judged(said: string, console: string): string {
  const lines = said.trimEnd().split('\n')
  if (lines.at(-1) === 'done') return said
  const tooNew = lines.find((line) => TOO_NEW.test(line))
  if (tooNew)
    throw new ApplianceError('missing-tool', `xfs_repair does not know this XFS root: ${tooNew.trim()}`, {
      hint: 'xfsprogs on this computer is older than the guest’s file system: install one at least as new as the guest’s.',
    })
  const failed = /^failed: (.*)$/m.exec(said)?.[1]
  const fault = lines.find(
    (line) => !/^(failed: |checking|Phase | +- |No modify|Cannot get|Repair may|the image)/.test(line),
  )
  const words =
    failed === 'damaged'
      ? `xfs_repair finds damage: ${fault ?? 'it does not say which'}`
      : failed
        ? [failed, ...lines.slice(-3, -1)].join('; ')
        : `the kernel ended early: ${console.trimEnd().split('\n').slice(-3).join(' ')}`
  throw new ApplianceError('check-failed', `the XFS root cannot be worked on: ${words}`)
}

async function firstFiles(
  { kernel, programs }: XfsSession,
  job: Buffer,
  files: readonly Buffer[],
): Promise<CpioEntry[]> {
  const folders = ['dev', 'proc', 'sys', 'mnt', 'tmp', 'bin', 'lib', 'modules', 'files']
  const number = (index: number) => String(index).padStart(6, '0')
  return [
    ...folders.map((name) => ({ name, mode: 0o040755 })),
    { name: 'lib64', mode: 0o120777, content: Buffer.from('lib') },
    { name: 'dev/console', mode: 0o020600, device: { major: 5, minor: 1 } },
    { name: 'init', mode: 0o100755, content: Buffer.from(PROGRAM) },
    { name: 'job', mode: 0o100644, content: job },
    ...kernel.modules.map((content, i) => ({ name: `modules/${number(i)}.ko`, mode: 0o100644, content })),
    ...files.map((content, i) => ({ name: `files/${number(i)}`, mode: 0o100644, content })),
    ...(await programsWithLibraries(programs)),
  ]
}

/** Each program, and what its root's loader says it needs (ld.so(8), --list). */
async function programsWithLibraries(root: string): Promise<CpioEntry[]> {
  const loader = await found(root, ['usr/lib64', 'lib64'], 'ld-linux-x86-64.so.2', 'libc6')
  const libraries = root === '/' ? [] : ['--library-path', join(root, 'usr/lib/x86_64-linux-gnu')]
  const entries = new Map<string, CpioEntry>()
  const add = async (name: string, path: string) => {
    if (!entries.has(name)) entries.set(name, { name, mode: 0o100755, content: await readFile(path) })
  }
  await add('lib/ld-linux-x86-64.so.2', loader)
  for (const [name, packageName] of PROGRAMS) {
    const path = await found(root, ['usr/sbin', 'usr/bin', 'sbin', 'bin'], name, packageName)
    await add(`bin/${name}`, path)
    const { stdout } = await run(loader, [...libraries, '--list', path])
    for (const library of librariesIn(stdout)) await add(`lib/${basename(library)}`, library)
  }
  return [...entries.values()]
}

/** Paths that a loader lists; they may have blanks. */
export function librariesIn(listed: string): string[] {
  return Array.from(listed.matchAll(/ => (\/.+) \(0x/g), ([, path]) => path!)
}

async function found(
  root: string,
  folders: readonly string[],
  name: string,
  packageName: string,
): Promise<string> {
  for (const folder of folders) {
    const path = join(root, folder, name)
    if (await exists(path)) return root === '/' ? await realpath(path) : path
  }
  throw new ApplianceError('missing-tool', `${name} is not installed, which an XFS file system needs`, {
    hint: `apt-get install ${packageName}`,
  })
}
