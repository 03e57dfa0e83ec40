import { readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { ApplianceError } from '../lib/errors/error.ts'
import type { Guest } from '../lib/guest/guest.ts'
import { SCRATCH } from '../lib/mirror/guest-access.ts'
import type { ProvisionStep } from '../lib/spec/step.ts'
import type { StageWork } from '../lib/stage/stage.ts'
import {
  chefSoloCommand,
  cookbookFolder,
  nodeAttributes,
  nodeJson,
  soloConfiguration,
  soloRb,
  TOOLS,
} from './chef-solo.ts'

/** What the steps work on. */
export interface Provisioning {
  work: StageWork
  guest: Guest
  /** Environment of every step (see mirror-access). */
  env: Record<string, string>
}

/** What a person calls a step: its name, or its kind and what it is about. */
export function stepTitle(step: ProvisionStep): string {
  if (step.name) return step.name
  switch (step.kind) {
    case 'shell':
      return `shell ${step.file ? basename(step.file) : 'inline'}`
    case 'upload':
      return `upload ${basename(step.from)} to ${step.to}`
    case 'chef_solo':
      return `chef_solo ${step.runList.join(', ')}`
  }
}

/** Runs one step; a failure names the step and shows the end of its output. */
export async function runStep(step: ProvisionStep, provisioning: Provisioning): Promise<void> {
  switch (step.kind) {
    case 'shell':
      return shell(step, provisioning)
    case 'upload':
      return upload(step, provisioning)
    case 'chef_solo':
      return chefSolo(step, provisioning)
  }
}

type Step<K extends ProvisionStep['kind']> = Extract<ProvisionStep, { kind: K }>

async function shell(step: Step<'shell'>, provisioning: Provisioning): Promise<void> {
  const script = `${SCRATCH}/step`
  const { guest, work } = provisioning
  let from = step.file
  if (!from) {
    from = join(work.workDirectory, 'inline-step')
    await writeFile(from, `#!/bin/sh\nset -e\n${step.inline}\n`)
  }
  await guest.upload(from, script, { mode: 0o755, signal: work.signal })
  await inGuest(script, step, provisioning)
}

async function upload(step: Step<'upload'>, { guest, work }: Provisioning): Promise<void> {
  await guest.upload(step.from, step.to, {
    ...(step.owner ? { owner: step.owner } : {}),
    ...(step.group ? { group: step.group } : {}),
    ...(step.mode === undefined ? {} : { mode: step.mode }),
    signal: work.signal,
  })
}

/** Mounts the tools disk, gives Chef the cookbooks and the node's attributes, converges, unmounts. */
async function chefSolo(step: Step<'chef_solo'>, provisioning: Provisioning): Promise<void> {
  const { guest, work } = provisioning
  const license = work.project.spec.chef.license
  if (!license)
    throw new ApplianceError('input', 'appliance.yml: chef_solo needs your word on the licence of Chef', {
      hint: 'Read https://www.chef.io/end-user-license-agreement and write `chef: { license: accept }`.',
    })
  const folders = step.cookbooks.map((_, index) => cookbookFolder(index))
  for (const [index, from] of step.cookbooks.entries())
    await guest.upload(from, folders[index]!, { owner: 'root', group: 'root', signal: work.signal })
  const attributes = step.attributesFile
    ? JSON.parse(await readFile(step.attributesFile, 'utf8'))
    : step.attributes
  for (const [to, content] of [
    [soloRb, soloConfiguration(folders)],
    [nodeJson, nodeAttributes(attributes, step.runList)],
  ] as const) {
    const from = join(work.workDirectory, basename(to))
    await writeFile(from, content)
    await guest.upload(from, to, { signal: work.signal })
  }
  await guest.run(`mkdir -p ${TOOLS} && mount -o ro /dev/disk/by-id/virtio-tools ${TOOLS}`, {
    signal: work.signal,
  })
  try {
    await inGuest(chefSoloCommand(license), step, provisioning)
  } finally {
    await guest.run(`umount ${TOOLS} && rmdir ${TOOLS}`, { allowFailure: true })
  }
}

/** Runs a step's command with the mirror's environment and the step's own, its output shown as it comes. */
async function inGuest(
  command: string,
  step: ProvisionStep,
  { guest, work, env }: Provisioning,
): Promise<void> {
  await guest.run(command, {
    env: { ...env, ...step.env },
    signal: work.signal,
    title: stepTitle(step),
    ...(step.as ? { as: step.as } : {}),
    ...(step.timeout === undefined ? {} : { timeout: step.timeout }),
    onOutput: (text) => {
      if (!step.sensitive) work.log.guest(text)
    },
  })
}
