import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Definition } from '../../lib/definition/definition.ts'
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
export function installingMachine(work: StageWork, definition: Definition, media: Media): MachineSpec {
  const { spec } = work.project
  const { ssh } = definition.recipe!
  return {
    name: 'install',
    disk: { path: media.raw, format: 'raw' },
    throwAway: false,
    cpus: spec.basebox.cpus,
    memory: spec.basebox.memory,
    firmware: 'bios',
    nic: 'e1000',
    controller: 'ahci',
    moreDisks: media.more.map((path) => ({ path, format: 'raw' })),
    cd: media.iso,
    ...(media.floppy ? { floppy: media.floppy } : {}),
    readOnlyDisks: [],
    login: {
      user: ssh.user,
      ...(ssh.password === undefined ? {} : { password: ssh.password }),
      ...(ssh.key ? { key: keyFile(definition.folder, ssh.key) } : {}),
      port: ssh.guestPort,
      old: true,
      credential: false,
    },
    evidence: join(work.outDirectory, 'evidence'),
    accel: spec.accel,
  }
}

/** A private key that a definition names, `~/` being the user's own home. */
export function keyFile(folder: string, key: string): string {
  return resolve(folder, key.replace(/^~(?=\/)/, homedir()))
}
