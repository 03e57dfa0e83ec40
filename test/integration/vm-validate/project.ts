import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Hypervisor } from '../../../actions/lib/hypervisor/hypervisor.ts'
import type { Log } from '../../../actions/lib/log/log.ts'
import type { MachineNetwork } from '../../../actions/lib/network/network.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { type Execution, execute, stageWork } from '../../../actions/lib/stage/execute.ts'
import { openProject } from '../../../actions/lib/stage/project.ts'
import type { StageWork } from '../../../actions/lib/stage/stage.ts'
import { vmValidateOn } from '../../../actions/vm-validate/stage.ts'

/** A folder on this computer is no machine: it has neither users nor logs of its own, and cannot be restarted. */
const off = ['accounts', 'log-rotation', 'disk-use', 'memory-use', 'reboot', 'power-cut']
  .map((name) => `${name}: a folder has none`)
  .join(', ')

/** A project folder with a disk of nothing, and the scenarios of a test. */
export async function projectWith(spec: string, scenarios: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'appliance-validate-'))
  const files: Record<string, string> = {
    'appliance.yml': `name: box\nversion: 1.0.0\nescapes: warn\nvalidate:\n  scenarios: scenarios\n  without: { ${off} }\n${spec}`,
    ...Object.fromEntries(Object.entries(scenarios).map(([name, text]) => [`scenarios/${name}.yml`, text])),
  }
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), content)
  }
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', join(folder, 'disk.qcow2'), '1M'])
  return folder
}

const nothing: MachineNetwork = {
  kind: 'private',
  mirrorUrl: 'http://mirror',
  plug: () => Promise.reject(new Error('the local machine needs no plug')),
  escapes: async () => [{ who: 'machine box', to: 'deb.debian.org', how: 'dns', times: 1 }],
  [Symbol.asyncDispose]: async () => {},
}

/** Everything that was logged: nothing in it may be secret. */
export class Lines implements Log {
  readonly lines: string[] = []
  readonly masked: string[] = []
  info = (line: string) => void this.lines.push(line)
  warn = this.info
  debug = this.info
  guest = this.info
  mask = (secret: string) => void this.masked.push(secret)
  group<T>(_: string, work: () => Promise<T>) {
    return work()
  }
  progress() {
    return { add() {}, done() {} }
  }
}

interface ValidateOptions {
  inputs?: {
    disk?: string | undefined
    ova?: string
    tags?: string
    scenario?: string
    'keep-on-failure'?: boolean
  }
  log?: Lines
  signal?: AbortSignal
  network?: MachineNetwork
}

/** Runs the stage as the pipeline does, on a hypervisor of the test's choice. */
export async function validate(
  folder: string,
  hypervisor: Hypervisor | ((work: StageWork) => Hypervisor),
  options: ValidateOptions = {},
): Promise<Execution> {
  const project = await openProject(folder, 'appliance.yml')
  const stage = vmValidateOn(typeof hypervisor === 'function' ? hypervisor : () => hypervisor)
  const inputs = {
    disk: join(folder, 'disk.qcow2'),
    ova: undefined,
    tags: undefined,
    scenario: undefined,
    'keep-on-failure': false,
    ...options.inputs,
  }
  const log = options.log ?? new Lines()
  const signal = options.signal ?? new AbortController().signal
  return await execute(stage, project, inputs, {
    log,
    signal,
    verify: false,
    inside: async () => {
      const parts = {}
      const work = stageWork(stage, project, inputs, log, signal, parts, options.network ?? nothing)
      return { result: await stage.run(work), parts, peakMemory: 0 }
    },
  })
}
