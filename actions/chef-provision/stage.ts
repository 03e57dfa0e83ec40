import { chmod, mkdir, rename, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { ApplianceError } from '../lib/errors/error.ts'
import { sha256 } from '../lib/files/digest.ts'
import { treeDigest } from '../lib/files/tree.ts'
import type { Guest } from '../lib/guest/guest.ts'
import { qemu } from '../lib/hypervisor/qemu/hypervisor.ts'
import type { Lock } from '../lib/lock/lock.ts'
import { mirrorAccess, SCRATCH } from '../lib/mirror/guest-access.ts'
import { run } from '../lib/process/command.ts'
import { versionsOf } from '../lib/process/version.ts'
import type { ProvisionStep } from '../lib/spec/step.ts'
import { lockOf } from '../lib/stage/project.ts'
import type { Stage, StageResult, StageWork } from '../lib/stage/stage.ts'
import { toolsDisk } from '../lib/tools/disk.ts'
import { formatDuration } from '../lib/units/duration.ts'
import { leaveNothing } from './farewell.ts'
import { FIRST_BOOT, firstBootName, firstBootRunner, firstBootUnit } from './first-boot.ts'
import { provisioningMachine } from './machine.ts'
import { runStep, stepTitle } from './steps.ts'

const RECIPE = '1'

/** The configured disk: the base disk after every step of `provision:`, with the mirror as its only way out. */
export const chefProvision: Stage<Record<never, never>> = {
  name: 'chef-provision',
  description: 'Configures the base machine with Chef Solo, scripts and uploads, from the mirror alone',
  inputs: {},
  outputs: {
    disk: 'The configured disk (qcow2)',
    report: 'What the steps did (JSON)',
  },
  place: 'private-network',

  async dependsOn({ project, earlier }) {
    const base = await earlier('veewee-basebox')
    const { spec } = project
    return {
      recipe: RECIPE,
      basebox: base.sha256('disk'),
      mirror: mirrorDigest(lockOf(project)),
      'spec.basebox': JSON.stringify([spec.basebox.cpus, spec.basebox.memory]),
      provision: sha256(JSON.stringify(await Promise.all(spec.provision.map(stepDigest)))),
      'first-boot': sha256(JSON.stringify(await Promise.all(spec.firstBoot.map(fileAndName)))),
    }
  },

  async run(work): Promise<StageResult> {
    const { project, log, signal } = work
    const base = await work.earlier('veewee-basebox')
    const tools = await work.timed('tools disk', () => toolsDisk(work))
    const overlay = join(work.workDirectory, 'provisioned.qcow2')
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', base.path('disk'), overlay], {
      signal,
    })

    const steps: string[] = []
    await using machine = await qemu(work).boot(await provisioningMachine(work, overlay, tools), signal)
    const guest = await work.timed('boot', () => machine.guest(signal))
    const { env } = await prepare(guest, work)
    for (const step of project.spec.provision) {
      const title = stepTitle(step)
      const began = performance.now()
      await log.group(title, () => work.timed(title, () => runStep(step, { work, guest, env })))
      steps.push(title)
      log.info(`${title}: ${formatDuration(performance.now() - began)}`)
    }
    await installFirstBoot(guest, work)
    await leaveNothing(guest, work.network().mirrorUrl, signal)
    if (!(await work.timed('shutdown', () => machine.shutdown(signal))))
      throw new ApplianceError(
        'no-answer',
        'the configured machine did not shut down; its disk may be inconsistent',
        {
          evidence: machine.evidence,
        },
      )

    const disk = join(work.outDirectory, 'provisioned.qcow2')
    await work.timed('flatten', async () => {
      await run('qemu-img', ['convert', '-q', '-O', 'qcow2', overlay, `${overlay}.flat`], { signal })
      await rename(`${overlay}.flat`, disk)
    })
    const report = join(work.outDirectory, 'report.json')
    await writeFile(report, `${JSON.stringify({ steps }, null, 2)}\n`)
    return {
      outputs: { disk: { path: disk }, report: { path: report } },
      tools: await versionsOf('qemu-system-x86_64'),
    }
  },
}

/** What of the lock the guest can see. */
function mirrorDigest({ deb, rpm, gem, git, file, tools }: Lock): string {
  return sha256(JSON.stringify([deb, rpm, gem, git, file, tools.gem]))
}

async function stepDigest(step: ProvisionStep): Promise<unknown> {
  const paths =
    step.kind === 'shell'
      ? [step.file]
      : step.kind === 'upload'
        ? [step.from]
        : [...step.cookbooks, step.attributesFile]
  const contents = await Promise.all(paths.flatMap((path) => (path ? [treeDigest(path)] : [])))
  // Where the project lies on this computer makes no difference.
  const { ...meant } = step
  const named = JSON.stringify(meant, (_, value) =>
    typeof value === 'string' && paths.includes(value) ? basename(value) : value,
  )
  return [named, contents]
}

async function fileAndName(path: string): Promise<[string, string]> {
  return [basename(path), await treeDigest(path)]
}

/** Lets the guest's package managers use the mirror for as long as the build lasts. */
async function prepare(guest: Guest, work: StageWork): Promise<{ env: Record<string, string> }> {
  const { project, network, signal } = work
  const access = mirrorAccess(lockOf(project), network().mirrorUrl)
  const { welcome } = network()
  if (welcome) await guest.run(welcome, { signal, allowFailure: true })
  await guest.run(
    `mkdir -p /run/appliance/lists/partial /run/appliance/yum.repos.d ${SCRATCH}/archives/partial && chmod 755 /run/appliance`,
    { signal },
  )
  for (const [to, content] of Object.entries(access.files)) await put(guest, work, to, content, 0o644)
  const key = join(project.buildDirectory, 'mirror-deps', 'tree', 'deb', 'appliance-mirror.gpg')
  await guest.upload(key, '/run/appliance/mirror.gpg', { mode: 0o644, owner: 'root', group: 'root', signal })
  for (const command of access.commands)
    await guest.run(command, { env: access.env, signal, onOutput: (text) => work.log.guest(text) })
  return access
}

async function put(guest: Guest, work: StageWork, to: string, content: string, mode: number): Promise<void> {
  const from = join(work.workDirectory, 'put')
  await writeFile(from, content)
  await chmod(from, mode)
  await guest.upload(from, to, { mode, owner: 'root', group: 'root', signal: work.signal })
}

/** The user's `first_boot:` scripts and the unit that runs them once, at the customer's. */
async function installFirstBoot(guest: Guest, work: StageWork): Promise<void> {
  const scripts = work.project.spec.firstBoot
  if (scripts.length === 0) return
  await mkdir(work.workDirectory, { recursive: true })
  await guest.run(`rm -rf ${FIRST_BOOT} && mkdir -p ${FIRST_BOOT}`, { signal: work.signal })
  for (const [index, script] of scripts.entries())
    await guest.upload(script, `${FIRST_BOOT}/${firstBootName(index, basename(script))}`, {
      mode: 0o755,
      owner: 'root',
      group: 'root',
      signal: work.signal,
    })
  await put(guest, work, '/usr/lib/appliance/first-boot', firstBootRunner(), 0o755)
  await put(guest, work, '/usr/lib/systemd/system/appliance-first-boot.service', firstBootUnit(), 0o644)
  await guest.run('systemctl enable -q appliance-first-boot.service', { signal: work.signal })
}
