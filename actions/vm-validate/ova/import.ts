import { createHash, type Hash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ApplianceError } from '../../lib/errors/error.ts'
import { sha256File } from '../../lib/files/digest.ts'
import { type DescribedMachine, parseDescriptor } from './descriptor.ts'
import { type ManifestEntry, parseManifest } from './manifest.ts'
import { broken, type TarMember, tarMembers } from './tar.ts'

/** An OVA opened as an importer would: everything checked, its disk unpacked. */
export interface ImportedOva {
  machine: DescribedMachine
  /** The unpacked disk, absolute. */
  disk: string
  /** The further ones, in the descriptor's order; undefined where it is empty. */
  moreDisks: (string | undefined)[]
  diskSha256: string
  ovaSha256: string
}

const LONGEST_TEXT = 4 << 20

/**
 * Reads the archive, holds every member to the manifest, and unpacks the disk into `folder`. Bytes are streamed:
 * nothing but descriptor and manifest is ever whole in memory.
 *
 * @throws ApplianceError `check-failed` or `digest-mismatch`, naming the member
 */
export async function importOva(path: string, folder: string, signal: AbortSignal): Promise<ImportedOva> {
  const members = await tarMembers(path)
  const [first, second] = members
  if (!first?.name.endsWith('.ovf')) throw broken(path, 'its first member is not the descriptor (.ovf)')
  if (!second?.name.endsWith('.mf')) throw broken(path, 'its second member is not the manifest (.mf)')
  const machine = parseDescriptor(await memberText(path, first))
  if ('faults' in machine) throw broken(path, `${first.name}: ${machine.faults.join('; ')}`)
  const { entries, strange } = parseManifest(await memberText(path, second))
  if (strange.length > 0) throw broken(path, `${second.name} has a line that importers refuse: ${strange[0]}`)

  const named = [machine.disk, ...machine.moreDisks.flatMap(({ file }) => file ?? [])]
  const targets = new Map(named.map((name) => [name, join(folder, name)]))
  for (const name of named)
    if (!members.some((member) => member.name === name))
      throw broken(path, `${first.name} names the disk ${name}, which is not in the archive`)
  for (const { name } of entries)
    if (!members.some((member) => member.name === name))
      throw broken(path, `${second.name} names ${name}, which is not there`)

  let diskSha256 = ''
  for (const member of members) {
    if (member === second || member.name.endsWith('.cert')) continue
    const entry = entries.find(({ name }) => name === member.name)
    if (!entry) throw broken(path, `${second.name} has no digest of ${member.name}`)
    const digests = await readThrough(path, member, entry, targets.get(member.name), signal)
    if (digests.promised !== entry.digest)
      throw new ApplianceError(
        'digest-mismatch',
        `${basename(path)}: ${member.name} has ${entry.algorithm} ${digests.promised}, its manifest says ${entry.digest}`,
        { hint: 'The OVA was damaged or changed after it was packed: pack or fetch it again.' },
      )
    if (member.name === machine.disk) diskSha256 = digests.sha256
  }
  const moreDisks = machine.moreDisks.map(({ file }) => (file === undefined ? undefined : targets.get(file)!))
  return {
    machine,
    disk: targets.get(machine.disk)!,
    moreDisks,
    diskSha256,
    ovaSha256: await sha256File(path, signal),
  }
}

async function memberText(path: string, member: TarMember): Promise<string> {
  if (member.size > LONGEST_TEXT) throw broken(path, `${member.name} is larger than 4 MiB`)
  const bytes = Buffer.alloc(member.size)
  await using file = await open(path)
  await file.read(bytes, 0, member.size, member.offset)
  return bytes.toString('utf8')
}

async function readThrough(
  path: string,
  member: TarMember,
  { algorithm }: ManifestEntry,
  target: string | undefined,
  signal: AbortSignal,
): Promise<{ promised: string; sha256: string }> {
  const promised = createHash(algorithm)
  const own = algorithm === 'sha256' ? promised : createHash('sha256')
  const hashes = new Set([promised, own])
  if (member.size > 0) {
    const bytes = createReadStream(path, {
      start: member.offset,
      end: member.offset + member.size - 1,
      highWaterMark: 1 << 20,
    })
    if (target) await pipeline(bytes, hashing(hashes), createWriteStream(target), { signal })
    else
      await pipeline(
        bytes,
        hashing(hashes),
        async (all) => {
          for await (const _ of all);
        },
        { signal },
      )
  }
  const hex = promised.digest('hex')
  return { promised: hex, sha256: own === promised ? hex : own.digest('hex') }
}

function hashing(hashes: Set<Hash>): Transform {
  return new Transform({
    transform(chunk: Buffer, _, done) {
      for (const hash of hashes) hash.update(chunk)
      done(null, chunk)
    },
  })
}
