import { z } from 'zod'
import {
  count,
  duration,
  expected,
  list,
  matching,
  oneOf,
  section,
  size,
  words,
  yesOrNo,
} from '../section.ts'
import { guestPath } from '../step.ts'
import { snapshotName } from './words.ts'

/** Hardware that a machine is booted with instead of its own; what is left out stays. */
export const otherHardware = {
  cpus: count(1, 64).optional(),
  memory: size('512 MiB').optional().describe('E.g. 512 MiB'),
  firmware: oneOf(['bios', 'uefi']).optional(),
  controller: oneOf(['virtio', 'ide', 'ahci', 'lsi', 'pvscsi', 'nvme']).optional(),
  nic: oneOf(['virtio', 'e1000', 'e1000e', 'vmxnet3', 'pcnet', 'none']).optional(),
  nics: count(0, 4).optional().describe('How many network cards; 0: no network at all'),
  mac: matching(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/, 'an address such as 52:54:00:12:34:56').optional(),
  clock: matching(/^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d)?$/, 'a date such as 2031-01-01')
    .optional()
    .describe('What its hardware clock says when it is switched on'),
  enlarge: size('30 GiB').optional().describe('The disk as large as this'),
}

const dataDisk = section({
  disk: matching(/^[a-z][a-z0-9-]{0,18}$/, 'a name of a-z, 0-9 and dash').describe(
    'Its name; the guest has it as /dev/disk/by-id/virtio-NAME',
  ),
  size: size('1 GiB').optional().describe('For a new one; without, it is one that the scenario had before'),
})

export type Boot = {
  ova?: string
  disk?: string
  disks?: { disk: string; size?: number }[]
  data_disks?: 'moved'
} & Partial<Hardware>

export interface Hardware {
  cpus: number
  memory: number
  firmware: 'bios' | 'uefi'
  controller: 'virtio' | 'ide' | 'ahci' | 'lsi' | 'pvscsi' | 'nvme'
  nic: 'virtio' | 'e1000' | 'e1000e' | 'vmxnet3' | 'pcnet' | 'none'
  nics: number
  mac: string
  clock: string
  enlarge: number
}

export const boot = z
  .union([
    z
      .undefined({ error: expected('no argument, or a map such as { nic: e1000 }') })
      .transform(() => ({}) as Boot),
    section({
      ova: words('an OVA')
        .optional()
        .describe('Another machine, such as a previous release; rollback comes back to this one'),
      disk: words('a disk image').optional().describe('Another machine: from this disk'),
      data_disks: oneOf(['moved'])
        .optional()
        .describe('Instead of the data disks it ships: those of the machine that was there before'),
      disks: list(dataDisk, 'a list of { disk: …, size: … }').optional().describe('Further disks it has'),
      ...otherHardware,
    })
      .superRefine(({ ova, disk }, context) => {
        if (ova !== undefined && disk !== undefined)
          context.addIssue({ code: 'custom', message: 'boots an OVA or a disk, not both' })
      })
      .transform((given) => given as Boot),
  ])
  .describe(
    'Switches the machine on, or goes on with it when it runs; with other hardware it is switched off first and keeps its disk',
  )

export const rollback = z
  .union([
    z
      .undefined({ error: expected('no argument, or the name of a snapshot') })
      .transform(() => ({}) as { to?: string }),
    snapshotName().transform((to) => ({ to }) as { to?: string }),
  ])
  .describe('Takes the machine back to a snapshot, or to how it was at the beginning')

export const snapshot = snapshotName()
  .transform((to) => ({ to }))
  .describe('Remembers the running machine under a name')

export interface TimeJump {
  jump?: number
  set?: string
}
export const time = z
  .union([
    section({
      jump: z
        .union([
          duration('400 d'),
          matching(/^-\d/, 'a time such as -2 d')
            .transform((text) => text.slice(1))
            .pipe(duration('2 d'))
            .transform((ms) => -ms),
        ])
        .optional()
        .describe('So much later, e.g. 400 d'),
      set: matching(
        /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|\{\{.*\}\})$/,
        'a time such as 2031-01-01T02:59:50Z',
      ).optional(),
    })
      .superRefine(({ jump, set }, context) => {
        if ((jump === undefined) === (set === undefined))
          context.addIssue({ code: 'custom', message: 'give either jump: or set:' })
      })
      .transform((given) => given as TimeJump),
    oneOf(['now']).transform(() => ({}) as TimeJump),
  ])
  .describe('Sets the guest’s clock, and its hardware’s; now: to what it is')

export interface NetworkChange {
  state?: 'cut' | 'restored'
  delay?: number
  mac?: string
  nic?: 'virtio' | 'e1000' | 'e1000e' | 'vmxnet3' | 'pcnet'
}
export const network = z
  .union([
    section({
      delay: duration('200 ms').optional().describe('What is sent or received waits up to so long'),
      mac: otherHardware.mac.describe('Another card, and so another address; the machine is booted anew'),
      nic: oneOf(['virtio', 'e1000', 'e1000e', 'vmxnet3', 'pcnet'])
        .optional()
        .describe('A card of another kind; the machine is booted anew'),
    }).transform((given) => given as NetworkChange),
    oneOf(['cut', 'restored']).transform((state) => ({ state }) as NetworkChange),
  ])
  .describe(
    'Pulls the network cable (cut) and plugs it in again (restored), slows it down, or changes the card. While it is cut, commands go through a serial line',
  )

export interface DiskChange {
  fill?: string
  leave?: number
  free?: string
  add?: string
  size?: number
}
export const disk = z
  .union([
    section({
      fill: guestPath().describe('Fills the file system that this folder is on'),
      leave: size('1 MiB').optional().describe('How much stays free; by default nothing'),
    }),
    section({ free: guestPath().describe('Takes away what fill put there') }),
    section({
      add: dataDisk.shape.disk.describe('Adds an empty disk of this name; the machine is booted anew'),
      size: size('1 GiB'),
    }),
  ])
  .transform((given) => given as DiskChange)
  .describe('Fills a file system, frees it again, or adds a disk')

export interface MemoryChange {
  take?: number
  free?: boolean
  available?: number
  size?: number
}
export const memory = section({
  take: size('500 MiB').optional().describe('Takes away so much, until free'),
  free: yesOrNo().optional().describe('Gives back what was taken'),
  available: size('200 MiB').optional().describe('So much must be available'),
  size: size('512 MiB').optional().describe('Boots the machine with so much'),
})
  .refine((given) => Object.values(given).filter((value) => value !== undefined).length === 1, {
    error: 'give one of take, free, available and size',
  })
  .transform((given) => given as MemoryChange)
  .describe('Takes memory away, or looks how much there is')
