import type { VmdkFaultKind } from '../../lib/vmdk/fault.ts'
import type { Rule } from './rule.ts'

const damaged = 'Fetch it again; if it was made so, make the VMDK anew and compare it with the disk.'

/** One for everything {@link readVmdk} finds. */
export const vmdkRules = {
  'vmdk-header': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'The disk is no sparse VMDK, or its header makes no sense.',
    fix: 'A streamOptimized VMDK is what an OVA holds.',
  },
  'vmdk-version': {
    severity: 'warning',
    concerns: ['vmware'],
    what: 'ESXi calls VMDKs of versions below 3 too old ("sparse VMDK version too old", glennmatthews/cot#65).',
    fix: 'Write version 3 into header and footer.',
  },
  'vmdk-type': {
    severity: 'error',
    concerns: ['vmware'],
    what: 'The VMDK is not streamOptimized.',
    fix: 'Convert it: streamOptimized is the only kind that is made to be streamed.',
  },
  'vmdk-flags': {
    severity: 'error',
    concerns: ['vmware'],
    what: 'The header does not say that grains are compressed (deflate) and marked.',
    fix: 'flags 0x30001, compressAlgorithm 1.',
  },
  'vmdk-text-mode': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'The file went through a transfer in text mode, which changed its line ends.',
    fix: 'Transfer it in binary mode.',
  },
  'vmdk-descriptor': {
    severity: 'error',
    concerns: ['vmware'],
    what: 'The text descriptor inside the VMDK is missing or not that of a disk of its own.',
    fix: 'Write createType, CID, parentCID=ffffffff and one extent.',
  },
  'vmdk-content-id': {
    severity: 'warning',
    concerns: ['vmware'],
    what: 'The CID is missing or one of the two that mean "no disk".',
    fix: 'Eight hex digits below fffffffe, from the content.',
  },
  'vmdk-extent': {
    severity: 'error',
    concerns: ['vmware'],
    what: 'The extent in the text descriptor has another size than the header.',
    fix: 'RDONLY (capacity in sectors) SPARSE "name"',
  },
  'vmdk-grain': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'A grain cannot be unpacked.',
    fix: damaged,
  },
  'vmdk-order': {
    severity: 'warning',
    concerns: ['vmware'],
    what: 'Grains are not in the order of the disk; whoever streams has to seek.',
    fix: 'Write grains by ascending address.',
  },
  'vmdk-table': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'A grain table does not point to the grains that are there.',
    fix: damaged,
  },
  'vmdk-directory': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'The grain directory is missing or points beyond the file.',
    fix: damaged,
  },
  'vmdk-footer': {
    severity: 'error',
    concerns: ['vmware'],
    what: 'The footer is missing, not like the header, or not right before the end.',
    fix: 'Footer and end-of-stream marker are the last two sectors.',
  },
  'vmdk-end': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'The stream breaks off, or something in it is no marker.',
    fix: damaged,
  },
  'vmdk-slack': {
    severity: 'error',
    concerns: ['vmware'],
    what: 'Bytes follow the end of the stream: ovftool, Workstation and Fusion hash only up to it and report a digest mismatch (talos#11053, coreos-assembler#1156).',
    fix: 'qemu-img leaves them; vmdk-convert and ova-pack do not.',
  },
  'vmdk-padding': {
    severity: 'error',
    concerns: ['everyone'],
    what: 'Padding that is not zeros: the file was damaged, or hides something.',
    fix: damaged,
  },
} as const satisfies Record<VmdkFaultKind, Rule>
