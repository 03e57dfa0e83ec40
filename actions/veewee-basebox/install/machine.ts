import { join, resolve } from 'node:path'
import type { Recipe } from '../../lib/definition/recipe-types.ts'
import type { MachineSpec } from '../../lib/hypervisor/hypervisor.ts'
import type { StageWork } from '../../lib/stage/stage.ts'

/** What is put into the machine. */
interface Media {
  raw: string
  iso: string
  floppy: string | undefined
  more: string[]
}

/** The machine that VeeWee made in VirtualBox, as QEMU has it: a SATA disk, an Intel network card, a BIOS. */
export function installingMachine(work: StageWork, recipe: Recipe, media: Media): MachineSpec {
  const { spec } = work.project
  const { ssh } = recipe
  return {
    name: 'install',
    disk: { path: media.raw, format: 'raw' },
    throwAway: false,
    cpus: spec.basebox.cpus,
    memory: spec.basebox.memory,
    firmware: 'bios',
    nic: 'e1000',
    controller: 'ahci',
    moreDisks: media.more,
    cd: media.iso,
    ...(media.floppy ? { floppy: media.floppy } : {}),
    readOnlyDisks: [],
    login: {
      user: ssh.user,
      ...(ssh.password === undefined ? {} : { password: ssh.password }),
      ...(ssh.key ? { key: resolve(ssh.key) } : {}),
      port: ssh.guestPort,
      old: true,
      credential: false,
    },
    evidence: join(work.outDirectory, 'evidence'),
    accel: spec.accel,
  }
}
