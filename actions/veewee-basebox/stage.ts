import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Definition } from '../lib/definition/definition.ts'
import { isoSourceOf } from '../lib/definition/iso-source.ts'
import { ApplianceError } from '../lib/errors/error.ts'
import { showFault } from '../lib/errors/fault.ts'
import { writeAtomically } from '../lib/files/atomic.ts'
import { sha256, sha256File } from '../lib/files/digest.ts'
import type { Lock } from '../lib/lock/lock.ts'
import { run } from '../lib/process/command.ts'
import { versionsOf } from '../lib/process/version.ts'
import { definitionOf } from '../lib/spec/machine.ts'
import { lockOf } from '../lib/stage/project.ts'
import type { Project, Stage, StageResult, StageWork } from '../lib/stage/stage.ts'
import { openToolsRoot, toolsKey } from '../lib/tools/root.ts'
import type { ToolsRoot } from '../lib/tools/tools.ts'
import { accountsOf, bootstrapByDefinition } from './bootstrap/definition.ts'
import { bootstrapDisk, bootstrapParts } from './bootstrap/disk.ts'
import { makeBoxes } from './box/boxes.ts'
import { boxVersion } from './box/catalogue.ts'
import { installByDefinition } from './install/installation.ts'
import { lookAtDisk } from './look/look.ts'

/** Raise it when the same inputs would give another machine. */
const RECIPE = '1'

/** A minimal machine, no hypervisor's extensions in it: made straight from the mirror, or installed by a definition. */
export const veeweeBasebox: Stage<Record<never, never>> = {
  name: 'veewee-basebox',
  description: 'Makes a minimal base machine from the mirror alone, or by a VeeWee definition',
  inputs: {},
  outputs: {
    disk: 'The base disk (qcow2); boots by BIOS and by UEFI',
    report: 'What is on it, packages and sizes (Markdown)',
    box: 'The folder of the Vagrant boxes and their catalogue, for `vagrant box add`',
  },
  place: 'private-network',

  async dependsOn({ project }) {
    const lock = lockOf(project)
    const { basebox } = project.spec
    const definition = definitionOf(basebox, project.directory)
    return {
      recipe: RECIPE,
      ...(definition ? await definitionParts(definition, project, lock) : {}),
      packages: packagesDigest(lock),
      tools: toolsKey(lock),
      ...(await bootstrapParts(project.spec, definition ? await accountsOf(definition) : [])),
      'spec.basebox.boxes': JSON.stringify(
        basebox.boxes.map((provider) => [provider, basebox.cpus, basebox.memory]),
      ),
      'spec.basebox.allow': JSON.stringify(basebox.allow),
    }
  },

  async run(work): Promise<StageResult> {
    const { project, signal } = work
    const lock = lockOf(project)
    const { basebox } = project.spec
    const definition = definitionOf(basebox, project.directory)
    if (!basebox.bootstrap && !definition)
      throw new ApplianceError('input', 'appliance.yml: basebox needs bootstrap: or definition:', {
        hint: 'Write `basebox: { bootstrap: { suite: bookworm } }`.',
      })
    for (const warning of definition?.warnings ?? []) work.log.warn(showFault(warning))
    const tools = await openToolsRoot(work)
    // The same inputs have the same identifiers; nothing is younger than upstream's newest index.
    const seed = sha256(JSON.stringify([RECIPE, project.spec.name, packagesDigest(lock)]))
    const raw = join(work.workDirectory, 'basebox.raw')
    const order = { lock, raw, seed, epoch: newest(lock), tools }
    if (!basebox.bootstrap) await installByDefinition(work, { ...order, definition: definition! })
    else if (definition) await bootstrapByDefinition(work, { ...order, definition })
    else await bootstrapDisk(work, order)
    const table = await work.timed('look', () =>
      lookAtDisk({
        disk: raw,
        allowed: project.spec.basebox.allow,
        tools,
        scratch: work.workDirectory,
        signal,
      }),
    )
    const made = join(work.workDirectory, 'basebox.qcow2')
    await work.timed('qcow2', () =>
      run('qemu-img', ['convert', '-q', '-f', 'raw', '-O', 'qcow2', raw, made], { signal }),
    )
    const boxes = await work.timed('boxes', () => boxesOf(work, raw, seed, lock, tools))
    const disk = join(work.outDirectory, 'basebox.qcow2')
    await rename(made, disk)
    const report = join(work.outDirectory, 'report.md')
    await writeAtomically(report, table)
    for (const line of table.trim().split('\n')) work.log.info(line)
    return {
      outputs: { disk: { path: disk }, report: { path: report }, box: { path: boxes } },
      tools: await versionsOf('mmdebstrap', 'qemu-img'),
    }
  },
}

/** The boxes, from the raw disk, which is theirs now. */
async function boxesOf(work: StageWork, raw: string, seed: string, lock: Lock, tools: ToolsRoot) {
  const { project, outDirectory, workDirectory, log, signal } = work
  const { name, basebox } = project.spec
  const folder = join(outDirectory, 'boxes')
  const { cpus, memory, disk } = basebox
  const catalogue = await makeBoxes({
    disk: raw,
    name: `${name}-base`,
    version: boxVersion(newestTimestamp(lock)),
    providers: basebox.boxes,
    // Of the range that VirtualBox gives its machines.
    machine: { cpus, memory, disk, user: 'root', mac: `080027${sha256(seed).slice(0, 6).toUpperCase()}` },
    folder,
    work: workDirectory,
    tools,
    log,
    signal,
  })
  if (basebox.boxes.length > 0) log.info(`for Vagrant: vagrant box add ${catalogue}`)
  return folder
}

/** Everything of a definition that shows in the machine: what it says, its files, its ISO image, what it may fetch. */
async function definitionParts(
  { read, recipe }: Definition,
  { directory, spec }: Project,
  { iso, rpm, gem, git, file }: Lock,
): Promise<Record<string, string>> {
  const files = await Promise.all(
    read.map(async (path) => [path, await sha256File(join(directory, path)).catch(() => 'not there')]),
  )
  const image = recipe?.iso && isoSourceOf(recipe.iso, iso)
  return {
    definition: sha256(JSON.stringify([recipe, files])),
    'spec.basebox.hypervisor': spec.basebox.hypervisor,
    mirror: sha256(JSON.stringify([rpm, gem, git, file])),
    ...(image ? { iso: image.sha256 } : {}),
  }
}

function packagesDigest({ deb, rpm }: Lock): string {
  return sha256(JSON.stringify([...deb, ...rpm].map(({ packages }) => packages.map((one) => one.sha256))))
}

/** Upstream's newest date, seconds since 1970. */
function newest(lock: Lock): number {
  const date = newestTimestamp(lock)
  return Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z')) / 1000
}

/** As the lock has it, `20261122T020905Z`. */
function newestTimestamp({ deb, rpm, tools }: Lock): string {
  const guest = [...deb, ...rpm]
  return (guest.length > 0 ? guest : tools.deb)
    .map(({ timestamp }) => timestamp)
    .sort()
    .at(-1)!
}
