import { join } from 'node:path'
import type { Tools } from '../../../actions/lib/disk/root-file-system.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { type SealReport, seal } from '../../../actions/ova-pack/seal.ts'
import type { Needle } from '../../../actions/ova-pack/secrets.ts'
import { quietLog } from './quiet-log.ts'

/** Seals a copy of a disk, `name` in the folder, as a stage of the example would. */
export async function sealCopy(
  from: string,
  { folder, name, tools, needles }: { folder: string; name: string; tools: Tools; needles: Needle[] },
): Promise<{ disk: string; report: SealReport }> {
  const disk = join(folder, name)
  await run('cp', ['--sparse=always', from, disk])
  const report = await seal({
    disk,
    tools,
    scratch: join(folder, `${name}.scratch`),
    generalisation: {
      hostname: 'license-server',
      mirrorUrls: ['http://mirror', 'http://10.77.0.1'],
      buildUser: undefined,
    },
    needles,
    allowed: [],
    log: quietLog(),
    signal: new AbortController().signal,
  })
  return { disk, report }
}
