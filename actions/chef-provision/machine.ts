import { join } from 'node:path'
import { buildKey } from '../lib/guest/key.ts'
import type { MachineSpec } from '../lib/hypervisor/hypervisor.ts'
import type { Spec } from '../lib/spec/spec.ts'
import type { StageWork } from '../lib/stage/stage.ts'

/** The machine in which the steps run: it writes to the disk itself, and has the tools disk beside it. */
export async function provisioningMachine(
  work: StageWork,
  disk: string,
  tools: { path: string; serial: string },
): Promise<MachineSpec> {
  const { spec } = work.project
  return {
    name: 'provision',
    disk: { path: disk, format: 'qcow2' },
    throwAway: false,
    ...size(spec),
    firmware: 'bios',
    nic: 'virtio',
    controller: 'virtio',
    readOnlyDisks: [tools],
    login: { user: 'root', key: await buildKey(work.project.buildDirectory), credential: true },
    evidence: join(work.outDirectory, 'evidence'),
    accel: spec.accel,
  }
}

function size(spec: Spec): { cpus: number; memory: number } {
  return { cpus: spec.basebox.cpus, memory: spec.basebox.memory }
}
