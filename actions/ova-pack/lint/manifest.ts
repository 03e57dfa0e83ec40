import { createHash, type Hash } from 'node:crypto'
import type { Archive, Member } from '../../lib/files/archive.ts'
import { type Bytes, inSteps, partOf } from '../../lib/files/bytes.ts'
import { filesOf } from './archive.ts'
import type { Find, Rules } from './rule.ts'

export const manifestRules = {
  'manifest-missing': {
    severity: 'warning',
    concerns: ['everyone'],
    what: 'There is no manifest (.mf): no importer notices damage.',
    fix: 'Add NAME.mf with a line SHA256(file)= hex for each other member, right after the descriptor.',
  },
  'manifest-position': {
    severity: 'error',
    concerns: ['vmware'],
    what: 'The manifest comes after a disk; ovftool streams: "No supported manifest entry found".',
    fix: 'Archive .ovf, .mf, (.cert,) then the disks.',
  },
  'manifest-name': {
    severity: 'error',
    concerns: ['vmware', 'ovf'],
    what: 'The manifest is not named like the descriptor, so it is not found.',
    fix: 'NAME.ovf goes with NAME.mf and NAME.cert.',
  },
  'manifest-syntax': {
    severity: 'error',
    concerns: ['vmware'],
    what: 'A line that importers do not read: with a blank before ( or =, or an algorithm spelt another way, VMware finds no digest.',
    fix: 'Write exactly SHA256(name)= hex, one a line (openssl 3: openssl dgst -sha256 writes SHA2-256, rename it).',
  },
  'manifest-blank': {
    severity: 'error',
    concerns: ['vmware'],
    what: 'A blank before ( or =: VirtualBox reads it, VMware finds no digest (home-assistant/operating-system#826).',
    fix: 'Write exactly SHA256(name)= hex.',
  },
  'manifest-sha1': {
    severity: 'note',
    concerns: ['ovf'],
    what: 'SHA-1, which shows damage but stops nobody who wants to change the OVA.',
    fix: 'SHA256, which ESXi 6.5 and everything newer reads.',
  },
  'manifest-sha512': {
    severity: 'warning',
    concerns: ['virt-v2v', 'vmware'],
    what: 'SHA-512: virt-v2v does not know it and verifies nothing.',
    fix: 'SHA256.',
  },
  'manifest-algorithms': {
    severity: 'warning',
    concerns: ['vmware'],
    what: 'Lines of different algorithms.',
    fix: 'SHA256 for all.',
  },
  'manifest-case': {
    severity: 'note',
    concerns: ['everyone'],
    what: 'A digest with capital letters, as no program writes it: a bit may have flipped.',
    fix: 'Write digests in lower case.',
  },
  'manifest-stranger': {
    severity: 'error',
    concerns: ['vmware', 'virtualbox'],
    what: 'The manifest names a file that is not in the archive.',
    fix: 'Make the manifest of exactly what is archived.',
  },
  'manifest-incomplete': {
    severity: 'error',
    concerns: ['vmware', 'virtualbox'],
    what: 'A member has no line in the manifest.',
    fix: 'A line for every member but the manifest and the certificate.',
  },
  'manifest-itself': {
    severity: 'error',
    concerns: ['vmware', 'ovf'],
    what: 'The manifest lists itself or the certificate.',
    fix: 'Leave those lines out.',
  },
  'manifest-twice': {
    severity: 'error',
    concerns: ['virtualbox'],
    what: 'Two lines for one file.',
    fix: 'One line a file.',
  },
  'manifest-empty': {
    severity: 'error',
    concerns: ['vmware'],
    what: 'The manifest has no line that could be read.',
    fix: 'Write exactly SHA256(name)= hex for every member.',
  },
  'digest-mismatch': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'A member is not what its digest says: it was damaged or changed after the manifest was made.',
    fix: 'Fetch it again; whoever makes it: make the manifest last, from the very bytes that are archived.',
  },
} as const satisfies Rules

const LONGEST = 1 << 20
const digits = { SHA1: 40, SHA256: 64, SHA512: 128 } as const
export type ManifestAlgorithm = keyof typeof digits

export interface ManifestLine {
  algorithm: ManifestAlgorithm
  name: string
  digest: string
}

/** Reads a manifest's lines; reports what is wrong with their form. */
export function readManifest(text: string, place: string, find: Find<typeof manifestRules>): ManifestLine[] {
  const lines: ManifestLine[] = []
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line === '') continue
    const at = `${place}:${index + 1}`
    const match = /^(SHA1|SHA256|SHA512)( ?)\((.{1,255})\)( ?)= ?([0-9A-Fa-f]+)$/.exec(line)
    const algorithm = match?.[1] as ManifestAlgorithm | undefined
    if (!match || !algorithm || match[5]!.length !== digits[algorithm]) {
      find('manifest-syntax', at, JSON.stringify(line.slice(0, 120)))
      continue
    }
    if (match[2] || match[4]) find('manifest-blank', at, JSON.stringify(line.slice(0, 60)))
    else if (!line.includes(')= ')) find('manifest-syntax', at, JSON.stringify(line.slice(0, 120)))
    if (/[A-F]/.test(match[5]!)) find('manifest-case', at, match[5]!)
    lines.push({ algorithm, name: match[3]!, digest: match[5]!.toLowerCase() })
  }
  if (text !== '' && !text.endsWith('\n')) find('manifest-syntax', place, 'its last line has no end')
  return lines
}

/** Holds every member to the manifest. @returns the SHA-256 of each, for whoever goes on */
export async function lintManifest(
  ova: Bytes,
  archive: Archive,
  find: Find<typeof manifestRules>,
  signal: AbortSignal,
): Promise<{ manifest: Member | undefined; lines: ManifestLine[] }> {
  const files = filesOf(archive)
  const descriptor = files.find(({ name }) => name.endsWith('.ovf'))
  const manifest = files.find(({ name }) => name.endsWith('.mf'))
  if (!manifest) {
    find(
      'manifest-missing',
      '',
      files
        .map(({ name }) => name)
        .slice(0, 5)
        .join(', '),
    )
    return { manifest, lines: [] }
  }
  const before = files.slice(0, files.indexOf(manifest)).find(({ name }) => !/\.(ovf|cert)$/.test(name))
  if (before) find('manifest-position', manifest.name, `it comes after ${before.name}`)
  if (descriptor && manifest.name.slice(0, -3) !== descriptor.name.slice(0, -4))
    find('manifest-name', manifest.name, `the descriptor is ${descriptor.name}`)
  const text = (await ova.read(manifest.offset, Math.min(manifest.size, LONGEST))).toString('utf8')
  const lines = readManifest(text, manifest.name, find)
  if (lines.length === 0) find('manifest-empty', manifest.name, `${manifest.size} bytes`)

  const algorithms = new Set(lines.map(({ algorithm }) => algorithm))
  if (algorithms.size > 1) find('manifest-algorithms', manifest.name, [...algorithms].join(', '))
  if (algorithms.has('SHA1')) find('manifest-sha1', manifest.name, 'SHA1')
  if (algorithms.has('SHA512')) find('manifest-sha512', manifest.name, 'SHA512')
  for (const [index, { name }] of lines.entries()) {
    if (/\.(mf|cert)$/.test(name)) find('manifest-itself', manifest.name, name)
    else if (!files.some((file) => file.name === name)) find('manifest-stranger', manifest.name, name)
    if (lines.findIndex((line) => line.name === name) < index) find('manifest-twice', manifest.name, name)
  }
  for (const file of files) {
    if (/\.(mf|cert)$/.test(file.name)) continue
    const promised = lines.filter(({ name }) => name === file.name)
    if (promised.length === 0) find('manifest-incomplete', file.name, `no line in ${manifest.name}`)
    for (const { algorithm, digest } of promised.slice(0, 2)) {
      const found = await digestOf(partOf(ova, file.offset, file.size), algorithm, signal)
      if (found !== digest)
        find('digest-mismatch', file.name, `${algorithm} is ${found}, ${manifest.name} says ${digest}`)
    }
  }
  return { manifest, lines }
}

async function digestOf(bytes: Bytes, algorithm: ManifestAlgorithm, signal: AbortSignal): Promise<string> {
  const hash: Hash = createHash(algorithm.toLowerCase())
  for await (const piece of inSteps(bytes, signal)) hash.update(piece)
  return hash.digest('hex')
}
