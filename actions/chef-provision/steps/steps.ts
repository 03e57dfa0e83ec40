import { basename } from 'node:path'
import type { ProvisionStep } from '../../lib/spec/spec.ts'
import { capistrano } from '../capistrano/deploy.ts'
import { chefSolo } from '../chef/converge.ts'
import type { Provisioning, Runner } from '../provisioning.ts'
import type { StepReport } from '../report.ts'
import { diagnosed } from './diagnosis.ts'
import { download } from './download.ts'
import { reboot } from './reboot.ts'
import { shell } from './shell.ts'
import { upload } from './upload.ts'
import { waitFor } from './wait-for.ts'

/** What a person calls a step: its name, or its kind and what it is about. */
export function stepTitle(step: ProvisionStep): string {
  if (step.name) return step.name
  switch (step.kind) {
    case 'shell':
      return `shell ${step.file ? basename(step.file) : 'inline'}`
    case 'upload':
      return `upload ${basename(step.from)} to ${step.to}`
    case 'download':
      return `download ${step.from}`
    case 'reboot':
      return 'reboot'
    case 'wait_for':
      return `wait_for ${step.port ?? step.file ?? step.unit ?? JSON.stringify(step.console)}`
    case 'chef_solo':
      return `chef_solo ${step.policy ? basename(step.policy) : step.runList.join(', ')}`
    case 'capistrano':
      return `capistrano ${step.deployStage} ${step.tasks.join(' ')}`
  }
}

/** Titles of a list of steps, each of which can be named by its own: a second one of a name has its number. */
export function stepTitles(steps: readonly ProvisionStep[]): string[] {
  const seen = new Map<string, number>()
  return steps.map((step) => {
    const title = stepTitle(step)
    const count = (seen.get(title) ?? 0) + 1
    seen.set(title, count)
    return count === 1 ? title : `${title} (${count})`
  })
}

/** Runs one step; a failure names the step, shows the end of its output, and what the guest's kernel says to it. */
export async function runStep(
  step: ProvisionStep,
  title: string,
  provisioning: Provisioning,
): Promise<StepReport> {
  const began = performance.now()
  try {
    const did = await perform(step, title, provisioning)
    return { title, kind: step.kind, milliseconds: Math.round(performance.now() - began), ...did }
  } catch (error) {
    provisioning.work.signal.throwIfAborted()
    throw await diagnosed(error, provisioning, performance.now() - began)
  }
}

const runners: { [K in ProvisionStep['kind']]: Runner<K> } = {
  shell,
  upload,
  download,
  reboot,
  wait_for: waitFor,
  chef_solo: chefSolo,
  capistrano,
}

async function perform(
  step: ProvisionStep,
  title: string,
  provisioning: Provisioning,
): Promise<Partial<StepReport> | undefined> {
  const runner = runners[step.kind] as Runner<ProvisionStep['kind']>
  return await runner({ ...step, title }, provisioning)
}
