import { mkdir, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { dataDisks } from '../lib/disk/data-disks.ts'
import { imageFormat, imageSha256 } from '../lib/disk/image.ts'
import { ApplianceError } from '../lib/errors/error.ts'
import { sha256File } from '../lib/files/digest.ts'
import { buildKey } from '../lib/guest/key.ts'
import type { DiskImage, Hypervisor, Login, MachineSpec } from '../lib/hypervisor/hypervisor.ts'
import { run } from '../lib/process/command.ts'
import type { Project } from '../lib/stage/stage.ts'
import { counted } from '../lib/units/counted.ts'
import { type ImportedOva, importOva } from './ova/import.ts'
import type { Subject } from './verdict.ts'
import type { Work } from './work.ts'

/** What is to be validated: where it lies, and its digest where an earlier stage recorded it. */
interface Given {
  kind: 'disk' | 'ova'
  path: string
  recorded: string | undefined
}

/** The disk or OVA that was named, or else the disk that chef-provision made. */
async function given({ inputs, earlier }: Work): Promise<Given> {
  if (inputs.ova !== undefined) {
    const packed = await earlier('ova-pack').catch(() => undefined)
    const ours = packed?.record.outputs.ova !== undefined && packed.path('ova') === inputs.ova
    return { kind: 'ova', path: inputs.ova, recorded: ours ? packed?.sha256('ova') : undefined }
  }
  if (inputs.disk !== undefined) return { kind: 'disk', path: inputs.disk, recorded: undefined }
  const provisioned = await earlier('chef-provision')
  return { kind: 'disk', path: provisioned.path('disk'), recorded: provisioned.sha256('disk') }
}

/** Its SHA-256, as recorded when it was made, or else of its bytes. */
export async function subjectDigest(work: Work): Promise<string> {
  const { kind, path, recorded } = await given(work)
  return recorded ?? (await (kind === 'disk' ? imageSha256 : sha256File)(path, work.signal))
}

/** A subject ready to boot. */
export interface Prepared {
  subject: Subject
  machine: MachineSpec
  remarks: string[]
}

/**
 * Reads every byte of the subject (what is tested must be what ships), unpacks an OVA, and says what machine it
 * makes: an OVA's as its descriptor says, a disk's as the spec says. Always throw-away.
 */
export async function prepareSubject(work: Work): Promise<Prepared> {
  const { kind, path, recorded } = await given(work)
  const { project, signal, outDirectory, workDirectory } = work
  const { spec } = project
  const common: Common = {
    name: 'validate',
    throwAway: true,
    overlay: join(workDirectory, 'overlay.qcow2'),
    readOnlyDisks: [],
    login: await rootByKey(project),
    evidence: join(outDirectory, 'evidence', 'machine'),
    accel: spec.accel,
  }
  const name = basename(path)
  if (kind === 'ova') {
    const folder = join(workDirectory, 'ova')
    await mkdir(folder, { recursive: true })
    const ova = await importOva(path, folder, signal)
    const { diskSha256, ovaSha256, machine } = ova
    sameAsRecorded(name, recorded, ovaSha256)
    const described = await asDescribed(ova, folder, common, signal)
    return { subject: { kind, name, diskSha256, ovaSha256 }, machine: described, remarks: machine.remarks }
  }
  const diskSha256 = await imageSha256(path, signal)
  sameAsRecorded(name, recorded, diskSha256)
  const { cpus = spec.basebox.cpus, memory = spec.basebox.memory } = spec.pack.hardware
  const nics = Math.max(1, spec.pack.hardware.networks.length)
  const hardware = { cpus, memory, firmware: 'bios', nic: 'virtio', nics, controller: 'virtio' } as const
  // What will be shipped with it.
  const shipped = await dataDisks(spec.pack.hardware.data_disks, workDirectory, signal)
  const more = withMore(shipped.map((path) => ({ path, format: 'raw' })))
  const format = await imageFormat(path)
  return {
    subject: { kind, name, diskSha256 },
    machine: { ...common, ...hardware, ...more, disk: { path, format } },
    remarks: [],
  }
}

/** How we get in; an appliance that ships its owner's key for root lets ours in beside it. */
export async function rootByKey({ spec, buildDirectory }: Project): Promise<Login> {
  const { root } = spec.pack
  const besideOthers = typeof root === 'object' && 'key' in root ? { besideOthers: true } : {}
  return { user: 'root', key: await buildKey(buildDirectory), credential: true, ...besideOthers }
}

/** What a driver makes of it that gives a machine one disk and one network card: the rest is left out, and that is said. */
export function possibleWith(
  { name, can }: Pick<Hypervisor, 'name' | 'can'>,
  { machine, remarks, ...rest }: Prepared,
): Prepared {
  const { moreDisks = [], nics = 1, ...usual } = machine
  const left = [
    ...(nics > 1 ? [`${nics - 1} of its ${nics} network cards`] : []),
    ...(moreDisks.length > 0 ? [`its ${counted(moreDisks.length, 'data disk')}`] : []),
  ]
  if (can.includes('hardware') || left.length === 0) return { machine, remarks, ...rest }
  return { ...rest, machine: usual, remarks: [...remarks, `${name} leaves out ${left.join(' and ')}`] }
}

/** What a machine is but for its disk and hardware. */
export type Common = Omit<MachineSpec, 'disk' | 'cpus' | 'memory' | 'firmware' | 'nic' | 'controller'>

/** The machine that an OVA makes: its disk unpacked into `folder`, its hardware as the descriptor says. */
export async function machineOfOva(
  path: string,
  folder: string,
  common: Common,
  signal: AbortSignal,
): Promise<MachineSpec> {
  return await asDescribed(await importOva(path, folder, signal), folder, common, signal)
}

/** The machine that a disk makes, of the hardware given. */
export async function machineOfDisk(path: string, common: Omit<MachineSpec, 'disk'>): Promise<MachineSpec> {
  return { ...common, disk: { path, format: await imageFormat(path) } }
}

async function asDescribed(
  { machine, disk, moreDisks }: ImportedOva,
  folder: string,
  common: Common,
  signal: AbortSignal,
): Promise<MachineSpec> {
  const { cpus, memory, firmware, nic, nics, controller } = machine
  const more: DiskImage[] = []
  for (const [index, vmdk] of moreDisks.entries()) {
    const to = join(folder, `imported-disk-${index + 2}.qcow2`)
    if (vmdk !== undefined) more.push(await asImported(vmdk, to, signal))
    else {
      const capacity = String(machine.moreDisks[index]!.capacity)
      await run('qemu-img', ['create', '-q', '-f', 'qcow2', to, capacity], { signal })
      more.push({ path: to, format: 'qcow2' })
    }
  }
  const first = await asImported(disk, join(folder, 'imported.qcow2'), signal)
  return { ...common, disk: first, ...withMore(more), cpus, memory, firmware, nic, nics, controller }
}

const withMore = (moreDisks: DiskImage[]) => (moreDisks.length > 0 ? { moreDisks } : {})

/**
 * Importers unpack the compressed disk into a format of their own, and so do we: a running machine on a VMDK cannot
 * be remembered ("does not support live migration").
 */
async function asImported(vmdk: string, to: string, signal: AbortSignal): Promise<DiskImage> {
  await run('qemu-img', ['convert', '-q', '-f', 'vmdk', '-O', 'qcow2', vmdk, to], { signal })
  await rm(vmdk)
  return { path: to, format: 'qcow2' }
}

function sameAsRecorded(name: string, recorded: string | undefined, found: string): void {
  if (recorded === undefined || recorded === found) return
  throw new ApplianceError('digest-mismatch', `${name} has SHA-256 ${found}, but was made with ${recorded}`, {
    hint: 'Something changed it since: run the stage that makes it again (appliance build --verify).',
  })
}
