import type { Archive, Member } from '../../lib/files/archive.ts'
import type { Find, Rules } from './rule.ts'

export const archiveRules = {
  'archive-damaged': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'There is no tar header where one belongs: the file is damaged, or no OVA.',
    fix: 'Fetch it again; if it was made so, write a plain USTAR archive.',
  },
  'archive-cut-short': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'The archive ends within a member: a broken download or a full disk.',
    fix: 'Fetch or pack it again and compare its SHA-256.',
  },
  'archive-end': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'The two blocks of zeros that end an archive are missing: its end was cut off.',
    fix: 'Fetch or pack it again.',
  },
  'archive-after-end': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'Something follows the end of the archive, which nobody reads and no digest covers.',
    fix: 'Write nothing after the two blocks of zeros.',
  },
  'archive-padding': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'The padding after a member is not zeros: the archive was damaged or altered.',
    fix: 'Fetch it again, or pad with zeros.',
  },
  'archive-pax': {
    severity: 'error',
    concerns: ['virtualbox'],
    what: 'PAX headers: VirtualBox refuses them (VERR_TAR_UNSUPPORTED_PAX_TYPE).',
    fix: 'tar --format=ustar; for members of 8 GiB and more --format=gnu.',
  },
  'archive-long-name': {
    severity: 'warning',
    concerns: ['vmware', 'virtualbox'],
    what: "GNU's long-name members: importers that know plain USTAR stumble over them.",
    fix: 'Give members names of at most 100 bytes.',
  },
  'archive-format': {
    severity: 'warning',
    concerns: ['ovf'],
    what: 'A tar format older than USTAR, which the standard asks for.',
    fix: 'tar --format=ustar',
  },
  'archive-header-form': {
    severity: 'note',
    concerns: ['everyone'],
    what: 'A header whose checksum is written as no tar program writes it: a bit may have flipped.',
    fix: 'Compare the SHA-256 of the file with that of its maker.',
  },
  'archive-first': {
    severity: 'error',
    concerns: ['vmware', 'ovf'],
    what: 'The descriptor (.ovf) is not the first member; ovftool: "Did not find an .ovf file at the beginning".',
    fix: 'Archive the .ovf first.',
  },
  'archive-no-descriptor': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'There is no descriptor (.ovf) in the archive.',
    fix: 'Add one, as the first member.',
  },
  'archive-descriptors': {
    severity: 'error',
    concerns: ['ovf'],
    what: 'There is more than one descriptor.',
    fix: 'One OVA, one .ovf.',
  },
  'archive-name': {
    severity: 'error',
    concerns: ['virtualbox', 'ovf'],
    what: 'A member lies in a folder or begins with ./, so the descriptor’s references do not find it.',
    fix: 'Archive plain names: cd FOLDER && tar -cf X.ova X.ovf X.mf X.vmdk',
  },
  'archive-kind': {
    severity: 'error',
    concerns: ['ovf'],
    what: 'A member is no plain file (a folder, a link).',
    fix: 'Archive files only.',
  },
  'archive-duplicate': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'Two members have one name; which of them counts depends on the reader.',
    fix: 'Archive every file once.',
  },
  'archive-many': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'More than a thousand members.',
    fix: 'An OVA holds a descriptor, a manifest and disks.',
  },
  'archive-stray': {
    severity: 'warning',
    concerns: ['vmware'],
    what: 'A member that the descriptor does not name; strict importers refuse it.',
    fix: 'Leave it out, or reference it.',
  },
  'archive-order': {
    severity: 'warning',
    concerns: ['vmware', 'ovf'],
    what: 'Disks are not in the order of References: whoever streams waits for another.',
    fix: 'Archive them in the order of References.',
  },
  'archive-large-size': {
    severity: 'note',
    concerns: ['virtualbox', 'vmware'],
    what: 'A member of 8 GiB or more, whose size USTAR cannot hold (it is written in base 256).',
    fix: 'Current importers read it; very old ones need a smaller disk.',
  },
} as const satisfies Rules

/** Members that are files of the appliance, without tar's own. */
export function filesOf({ members }: Archive): Member[] {
  return members.filter(({ type }) => !'xgLK'.includes(type))
}

/** VirtualBox (7.2) ends no archive that it exports; nobody minds. Its name is where the owner's belongs. */
function byVirtualBox({ members }: Archive): boolean {
  return members[0]?.owner.startsWith('vboxovf') ?? false
}

export function lintArchive(archive: Archive, find: Find<typeof archiveRules>): void {
  for (const fault of archive.faults)
    if (fault.kind === 'header')
      find('archive-damaged', `@${fault.at}`, 'no tar header with a right checksum')
    else if (fault.kind === 'cut-short')
      find('archive-cut-short', fault.name, `${fault.missing} bytes are missing`)
    else if (fault.kind === 'padding') find('archive-padding', `@${fault.at}`, `after ${fault.name}`)
    else if (fault.kind === 'no-end') {
      if (fault.blocks > 0 || !byVirtualBox(archive))
        find('archive-end', `@${fault.at}`, `${fault.blocks} of 2 blocks are there`)
    } else if (fault.kind === 'after-end')
      find('archive-after-end', `@${fault.at}`, 'bytes that are not zeros')
    else find('archive-many', `@${fault.at}`, 'not read further')

  const extended = archive.members.filter(({ type }) => type === 'x' || type === 'g')
  if (extended[0]) find('archive-pax', `@${extended[0].header}`, `${extended.length} PAX headers`)
  for (const member of archive.members) {
    if (member.type === 'L' || member.type === 'K')
      find('archive-long-name', `@${member.header}`, `type ${member.type}`)
    if (!member.usualChecksum) find('archive-header-form', `@${member.header}`, member.name)
  }

  const files = filesOf(archive)
  const old = files.find(({ format }) => format === 'old')
  if (old) find('archive-format', old.name, 'no ustar magic in its header')
  for (const [index, { name, type, size }] of files.entries()) {
    if (name.includes('/')) find('archive-name', name, JSON.stringify(name))
    if (type !== '0' && type !== '7') find('archive-kind', name, `type ${JSON.stringify(type)}`)
    if (files.findIndex((other) => other.name === name) < index) find('archive-duplicate', name, 'again')
    if (size >= 8 * 2 ** 30) find('archive-large-size', name, `${size} bytes`)
  }
  const descriptors = files.filter(({ name }) => name.endsWith('.ovf'))
  if (descriptors.length === 0)
    find(
      'archive-no-descriptor',
      '',
      files
        .map(({ name }) => name)
        .slice(0, 5)
        .join(', ') || 'no member at all',
    )
  else if (!files[0]!.name.endsWith('.ovf')) find('archive-first', files[0]!.name, 'is the first member')
  if (descriptors.length > 1)
    find('archive-descriptors', descriptors[1]!.name, `${descriptors.length} descriptors`)
}
