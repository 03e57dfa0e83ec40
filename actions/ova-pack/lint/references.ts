import type { Member } from '../../lib/files/archive.ts'
import { childOf, childrenOf, type OvfNode } from '../../lib/ovf/tree.ts'
import type { Find, Rules } from './rule.ts'

export const referenceRules = {
  'reference-missing': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'References names a file that is not in the archive.',
    fix: 'href is the exact name of a member; names differ by case.',
  },
  'reference-size': {
    severity: 'error',
    concerns: ['vmware'],
    what: 'ovf:size is not the size of the file.',
    fix: 'Write the size the file has in the archive, in bytes.',
  },
  'reference-url': {
    severity: 'error',
    concerns: ['virtualbox', 'virt-v2v', 'proxmox'],
    what: 'A file is fetched from elsewhere on import, which hardly any importer does.',
    fix: 'Put the file into the archive.',
  },
  'reference-chunks': {
    severity: 'warning',
    concerns: ['virtualbox', 'proxmox'],
    what: 'A file is split into chunks (ovf:chunkSize), which few importers join.',
    fix: 'One file, with a size in base 256 if it has 8 GiB or more.',
  },
  'reference-compressed': {
    severity: 'warning',
    concerns: ['virtualbox', 'proxmox'],
    what: 'A file is compressed once more (ovf:compression).',
    fix: 'A streamOptimized VMDK is compressed already.',
  },
  'disk-section': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'There is no DiskSection, or no Disk in it.',
    fix: 'Describe every disk in the DiskSection.',
  },
  'disk-file': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'A Disk’s fileRef is the id of no File among the References.',
    fix: 'fileRef and id are the same word.',
  },
  'disk-format': {
    severity: 'error',
    concerns: ['vmware'],
    what: 'A Disk’s format is not that of a streamOptimized VMDK.',
    fix: 'ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"',
  },
  'disk-capacity': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'A Disk has no capacity that can be read.',
    fix: 'capacity="20480" capacityAllocationUnits="byte * 2^20"',
  },
  'disk-capacity-unit': {
    severity: 'warning',
    concerns: ['proxmox'],
    what: 'A capacity in a unit that Proxmox does not read (it takes only byte * N^M).',
    fix: 'capacityAllocationUnits="byte * 2^20", with a disk of whole MiB.',
  },
  'disk-capacity-differs': {
    severity: 'error',
    concerns: ['vmware'],
    what: 'The capacity is not what the VMDK has; ESXi 6.7 and 7 break on it (home-assistant/operating-system#1084).',
    fix: 'Write exactly the size of the virtual disk.',
  },
  'disk-id': {
    severity: 'error',
    concerns: ['virt-v2v', 'proxmox', 'ovf'],
    what: 'A diskId with characters that a HostResource cannot name, or the same twice.',
    fix: 'Letters, digits, dot, dash, underscore, tilde.',
  },
  'network-section': {
    severity: 'warning',
    concerns: ['vmware'],
    what: 'There is no NetworkSection though there is a network card.',
    fix: 'Name every network that a card is connected to.',
  },
} as const satisfies Rules

export interface DescribedDisk {
  id: string
  /** The member that holds it; empty disks have none. */
  file: string | undefined
  /** Bytes; undefined where it cannot be read. */
  capacity: number | undefined
  place: string
}

const FORMAT =
  /^https?:\/\/www\.vmware\.com\/(interfaces\/specifications\/vmdk\.html|specifications\/vmdk\.html)#(streamOptimized|compressed|sparse)$/

/** References and DiskSection, against the archive. */
export function lintReferences(
  envelope: OvfNode,
  file: string,
  members: readonly Member[],
  find: Find<typeof referenceRules>,
): DescribedDisk[] {
  const place = (node: OvfNode) => `${file}:${node.line}`
  const files = childrenOf(childOf(envelope, 'References'), 'File')
  for (const node of files) {
    const { href = '', size, chunkSize, compression } = node.attributes
    if (/^\w+:\/\//.test(href)) {
      find('reference-url', place(node), href)
      continue
    }
    if (chunkSize !== undefined) find('reference-chunks', place(node), `chunkSize ${chunkSize}`)
    if (compression && compression !== 'identity') find('reference-compressed', place(node), compression)
    const member = members.find(({ name }) => name === href)
    if (!member && chunkSize === undefined) find('reference-missing', place(node), href || '(no href)')
    if (member && size !== undefined && Number(size) !== member.size)
      find('reference-size', place(node), `${href}: ${size}, it has ${member.size}`)
  }

  const nodes = childrenOf(childOf(envelope, 'DiskSection'), 'Disk')
  if (nodes.length === 0) find('disk-section', place(envelope), 'no Disk')
  return nodes.map((node, index) => {
    const { diskId = '', fileRef, format = '', capacity, capacityAllocationUnits: unit } = node.attributes
    const reference = files.find(({ attributes }) => attributes.id === fileRef)
    if (fileRef !== undefined && !reference) find('disk-file', place(node), `fileRef="${fileRef}"`)
    if (!FORMAT.test(format)) find('disk-format', place(node), format || '(none)')
    if (
      !/^[A-Za-z0-9._~-]+$/.test(diskId) ||
      nodes.findIndex(({ attributes }) => attributes.diskId === diskId) < index
    )
      find('disk-id', place(node), `diskId="${diskId}"`)
    const factor = unitBytes(unit ?? 'byte')
    const bytes = Number(capacity) * (factor ?? Number.NaN)
    const known = capacity !== undefined && bytes > 0
    if (!known) find('disk-capacity', place(node), `capacity="${capacity ?? ''}" in ${unit ?? 'byte'}`)
    else if (unit !== undefined && !/^byte\s*\*\s*\d+\s*\^\s*\d+$/.test(unit))
      find('disk-capacity-unit', place(node), unit)
    return {
      id: diskId,
      file: reference?.attributes.href,
      capacity: known ? bytes : undefined,
      place: place(node),
    }
  })
}

/** `byte * 2^20`, `MegaBytes` → bytes (DSP0004 annex C; the words are older). */
export function unitBytes(unit: string): number | undefined {
  const words: Record<string, number> = {
    byte: 1,
    bytes: 1,
    kilobytes: 2 ** 10,
    megabytes: 2 ** 20,
    mb: 2 ** 20,
    gigabytes: 2 ** 30,
    gb: 2 ** 30,
  }
  const word = unit.trim().toLowerCase()
  if (Object.hasOwn(words, word)) return words[word]
  const match = /^byte\s*\*\s*(\d{1,6})(?:\s*\^\s*(\d{1,2}))?$/.exec(word)
  return match ? Number(match[1]) ** Number(match[2] ?? 1) : undefined
}
