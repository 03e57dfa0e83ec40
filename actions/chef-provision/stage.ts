import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplianceError } from '../lib/errors/error.ts'
import { faultsIn } from '../lib/errors/fault.ts'
import { sha256 } from '../lib/files/digest.ts'
import { buildKey } from '../lib/guest/key.ts'
import type { Machine } from '../lib/hypervisor/hypervisor.ts'
import { qemu } from '../lib/hypervisor/qemu/hypervisor.ts'
import { mirrorAccess } from '../lib/mirror/guest-access.ts'
import { versionsOf } from '../lib/process/version.ts'
import { flag, text } from '../lib/stage/input.ts'
import { lockOf } from '../lib/stage/project.ts'
import type { Stage, StageResult } from '../lib/stage/stage.ts'
import { toolsDisk } from '../lib/tools/disk.ts'
import { formatSize } from '../lib/units/size.ts'
import { refuseHopeless } from './before-boot.ts'
import { runCourse } from './course.ts'
import { fileAndName, layeredPlan, packageSourcesDigest, projectPlan } from './course-plan.ts'
import { keptFor, leaveRunning } from './debugging.ts'
import { leaveNothing } from './farewell.ts'
import { installFirstBoot } from './first-boot.ts'
import { positionOf } from './from-step.ts'
import { beginFlattening, flatten } from './layers/flat.ts'
import { Shelf } from './layers/shelf.ts'
import { machineFits, provisioningMachine, serialConsole } from './machine.ts'
import { prepare } from './prepare.ts'
import { type ProvisionReport, reported, reportMarkdown } from './report.ts'
import { stepTitles } from './steps/steps.ts'

const inputs = {
  'from-step': text('Run this step (its name or number) and all after it, although nothing has changed'),
  'keep-on-failure': flag('Leave the machine running when a step fails, and say how to enter it'),
  'debug-on-error': text('The same for so many minutes, in a workflow'),
  'no-layers': flag('Begin with the base machine, and keep nothing for the next run'),
}

/** The configured disk: the base disk after every step of `provision:`, with the mirror as its only way out. */
export const chefProvision: Stage<typeof inputs> = {
  name: 'chef-provision',
  description:
    'Configures the base machine with Chef Solo, Capistrano, scripts and uploads, from the mirror alone; goes on from the last step that has not changed',
  inputs,
  outputs: {
    disk: 'The configured disk (qcow2)',
    report: 'What the steps did (JSON)',
  },
  place: 'private-network',
  refuses: (given, { spec }) => [
    ...faultsIn(() => positionOf(given['from-step'], stepTitles(spec.provision))),
    ...faultsIn(() => keptFor(given)),
  ],
  insists: (given) => given['from-step'] !== undefined || given['no-layers'],

  async dependsOn(work) {
    const { project } = work
    const { base, steps } = await projectPlan(work)
    return {
      ...base,
      ...Object.fromEntries(
        steps.map(({ title, dependsOn }, index) => [
          `step ${index + 1}, ${title}`,
          sha256(JSON.stringify(Object.entries(dependsOn).sort(([a], [b]) => (a < b ? -1 : 1)))),
        ]),
      ),
      'package-sources': await packageSourcesDigest(project.spec.packageSources),
      'first-boot': sha256(JSON.stringify(await Promise.all(project.spec.firstBoot.map(fileAndName)))),
    }
  },

  async run(work): Promise<StageResult> {
    const { project, log, signal, workDirectory, outDirectory } = work
    const planned = await layeredPlan(work)
    const kept = keptFor(work.inputs)
    const from = positionOf(
      work.inputs['from-step'],
      planned.steps.map(({ title }) => title),
    )
    await refuseHopeless(work)
    const base = (await work.earlier('veewee-basebox')).path('disk')
    const tools = await work.timed('tools disk', () => toolsDisk(work))
    const { cache } = project.spec
    const keeps = !work.inputs['no-layers'] && !work.rereads && cache.layers > 0
    const shelf = keeps ? new Shelf(join(outDirectory, 'layers'), base) : undefined
    const course = [planned.base.key, ...planned.steps.map(({ key }) => key)]
    await rm(join(outDirectory, 'files'), { recursive: true, force: true })

    const access = mirrorAccess(lockOf(project), work.network().mirrorUrl)
    const report: ProvisionReport = { steps: [] }
    return await reported(outDirectory, report, async () => {
      const onFailure = async (machine: Machine, thrown: unknown) => {
        if (kept === undefined) return
        await leaveRunning(machine, thrown, kept, await buildKey(project.buildDirectory), work)
      }
      const ended = await runCourse({
        work,
        plan: planned,
        shelf,
        base,
        from,
        fits: await machineFits(work, tools),
        boot: async (disk, { key, machine } = {} as never) => {
          const resume = machine && { memory: shelf!.memory(key), address: machine.address, mac: machine.mac }
          return await qemu(work).boot(await provisioningMachine(work, disk, tools, resume), signal)
        },
        prepare: async (guest) => {
          await prepare(guest, work, access)
          return access
        },
        env: access.env,
        serial: serialConsole(work),
        report,
        leaves: kept !== undefined,
        onFailure,
      }).catch(async (error) => {
        // Not while a machine runs: its disk lies over what would be merged.
        await shelf?.prune(course, cache)
        throw error
      })
      await using machine = ended.machine
      await using begun = ended.under ? beginFlattening(ended.under, workDirectory, signal) : undefined
      await work
        .timed('cleaning up', async () => {
          await installFirstBoot(ended.guest, work)
          await leaveNothing(ended.guest, project, work.network().mirrorUrl, signal, log)
        })
        .catch(async (error) => {
          await onFailure(machine, error)
          throw error
        })
      if (!(await work.timed('shutdown', () => machine.shutdown(signal))))
        throw new ApplianceError(
          'no-answer',
          'the configured machine did not shut down; its disk may be inconsistent',
          {
            evidence: machine.evidence,
          },
        )

      const disk = join(outDirectory, 'provisioned.qcow2')
      await work.timed('flatten', () =>
        begun ? begun.finish(ended.disk, disk) : flatten(ended.disk, disk, workDirectory, signal),
      )
      if (shelf) {
        const { layers, bytes, memory } = await shelf.prune(course, cache)
        log.info(`${layers} layers kept, ${formatSize(bytes)}, ${formatSize(memory)} of it memory`)
      }
      return {
        outputs: { disk: { path: disk }, report: { path: join(outDirectory, 'report.json') } },
        tools: await versionsOf('qemu-system-x86_64'),
        thisRun: { values: {}, summary: reportMarkdown(report) },
      }
    })
  },
}
