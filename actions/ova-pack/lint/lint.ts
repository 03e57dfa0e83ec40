import { open } from 'node:fs/promises'
import { type Archive, readArchive } from '../../lib/files/archive.ts'
import { type Bytes, fileBytes, partOf } from '../../lib/files/bytes.ts'
import { childOf, childrenOf, NotXml, type OvfNode, readOvf, textOf } from '../../lib/ovf/tree.ts'
import { readVmdk } from '../../lib/vmdk/read.ts'
import { archiveRules, filesOf, lintArchive } from './archive.ts'
import { bootRules, lintBoot } from './boot.ts'
import { certificateRules, lintCertificate } from './certificate.ts'
import { controllerDriver } from './controller-driver.ts'
import { hardwareRules, lintHardware } from './hardware.ts'
import { lintManifest, manifestRules } from './manifest.ts'
import { type DescribedDisk, lintReferences, referenceRules } from './references.ts'
import type { Concerned, Finding, Rule } from './rule.ts'
import { lintSettings, settingRules } from './settings.ts'
import { lintStructure, structureRules } from './structure.ts'
import { lintSystem } from './system.ts'
import { vmdkRules } from './vmdk.ts'

/** Every rule by its id. */
export const rules: Readonly<Record<string, Rule>> = {
  ...archiveRules,
  ...manifestRules,
  ...certificateRules,
  ...structureRules,
  ...referenceRules,
  ...hardwareRules,
  ...settingRules,
  ...vmdkRules,
  ...bootRules,
}

export interface LintOptions {
  /** Judge for these alone; default: for all, or where an OVA says whose it is (VirtualBox' own), for that one. */
  for?: readonly Concerned[]
  /** Ids of rules that do not count. */
  ignore?: readonly string[]
  /** Seconds since 1970, for the dates of certificates. */
  now: number
  signal: AbortSignal
}

export interface Lint {
  findings: Finding[]
  /** For whom it was judged; empty: for all. */
  judgedFor: readonly Concerned[]
}

const LONGEST_DESCRIPTOR = 4 << 20
/** Findings of one rule beyond these tell nothing new. */
const MOST_OF_A_RULE = 20

/** Looks at any OVA and says what each hypervisor would refuse or mishandle. Never throws for what is in the file. */
export async function lintOva(path: string, options: LintOptions): Promise<Lint> {
  await using file = await open(path)
  return await lintBytes(fileBytes(file, 0, (await file.stat()).size), options)
}

/** The same for an OVA that lies anywhere. */
export async function lintBytes(ova: Bytes, options: LintOptions): Promise<Lint> {
  const { signal } = options
  const all: Finding[] = []
  const find = (rule: string, place: string, evidence: string) => {
    if (all.filter((finding) => finding.rule === rule).length < MOST_OF_A_RULE)
      all.push({ rule, ...rules[rule]!, place, evidence: printable(evidence) })
  }
  const archive = await readArchive(ova, signal)
  lintArchive(archive, find)
  const { manifest } = await lintManifest(ova, archive, find, signal)
  await lintCertificate(ova, archive, manifest, options.now, find)
  const described = await lintDescriptor(ova, archive, find)
  await lintDisks(ova, archive, described, find, signal)

  const judgedFor = options.for ?? madeFor(described?.system)
  const counts = ({ concerns, rule }: Finding) =>
    !options.ignore?.includes(rule) &&
    (judgedFor.length === 0 ||
      concerns.includes('everyone') ||
      concerns.some((one) => judgedFor.includes(one)))
  return { findings: all.filter(counts), judgedFor }
}

interface Described {
  system: OvfNode | undefined
  disks: DescribedDisk[]
}

type Note = (rule: string, place: string, evidence: string) => void

async function lintDescriptor(ova: Bytes, archive: Archive, find: Note): Promise<Described | undefined> {
  const files = filesOf(archive)
  const member = files.find(({ name }) => name.endsWith('.ovf'))
  if (!member) return undefined
  if (member.size > LONGEST_DESCRIPTOR) find('descriptor-size', member.name, `${member.size} bytes`)
  const text = (await ova.read(member.offset, Math.min(member.size, LONGEST_DESCRIPTOR))).toString('utf8')
  let envelope: OvfNode
  try {
    envelope = readOvf(text)
  } catch (error) {
    if (!(error instanceof NotXml)) throw error
    find('descriptor-xml', member.name, error.message)
    return undefined
  }
  const system = lintStructure(envelope, member.name, find)
  if (!system) return { system, disks: [] }
  const disks = lintReferences(envelope, member.name, files, find)
  lintHardware(system, envelope, member.name, disks, find)
  lintSettings(system, envelope, member.name, find)
  const cards = childrenOf(childOf(system, 'VirtualHardwareSection'), 'Item').some(
    (item) => textOf(item, 'ResourceType') === '10',
  )
  if (cards && !childOf(envelope, 'NetworkSection'))
    find('network-section', `${member.name}:${envelope.line}`, 'none')
  const referenced = childrenOf(childOf(envelope, 'References'), 'File').map(
    ({ attributes }) => attributes.href ?? '',
  )
  const strays = files.filter(
    ({ name }) =>
      !/\.(ovf|mf|cert)$/.test(name) &&
      !referenced.some((href) => name === href || name.startsWith(`${href}.`)),
  )
  for (const { name } of strays) find('archive-stray', name, `${member.name} does not name it`)
  const order = files.map(({ name }) => referenced.indexOf(name)).filter((index) => index >= 0)
  if (order.some((index, at) => at > 0 && index < order[at - 1]!))
    find('archive-order', member.name, referenced.join(', '))
  return { system, disks }
}

async function lintDisks(
  ova: Bytes,
  archive: Archive,
  described: Described | undefined,
  find: Note,
  signal: AbortSignal,
): Promise<void> {
  const config = childrenOf(childOf(described?.system, 'VirtualHardwareSection'), 'Config')
  const stated = {
    firmware: config.find(({ attributes }) => attributes.key === 'firmware')?.attributes.value ?? 'bios',
    forVirtualBox: childOf(described?.system, 'Machine') !== undefined,
  }
  const files = filesOf(archive)
  const first = described?.disks.find(({ file }) => file !== undefined)?.file
  const disks = files.filter(
    ({ name }) => name.endsWith('.vmdk') || described?.disks.some(({ file }) => file === name),
  )
  for (const { name, offset, size } of disks) {
    const { faults, capacity, disk } = await readVmdk(partOf(ova, offset, size), true, signal)
    for (const { kind, at, evidence } of faults) find(kind, `${name}@${at}`, evidence)
    for (const promised of described?.disks ?? [])
      if (
        promised.file === name &&
        promised.capacity !== undefined &&
        capacity !== undefined &&
        promised.capacity !== capacity
      )
        find('disk-capacity-differs', promised.place, `${promised.capacity} bytes; ${name} has ${capacity}`)
    if (
      !disk ||
      name !== (first ?? disks[0]!.name) ||
      faults.some(({ kind }) => kind === 'vmdk-table' || kind === 'vmdk-grain')
    )
      continue
    const root = await lintBoot(disk, name, stated, find)
    if (root) await lintSystem(root, controllerDriver(described?.system), find, signal)
  }
}

/** An OVA that VirtualBox exported says so; VMware would not take it, and it is not meant to. */
function madeFor(system: OvfNode | undefined): Concerned[] {
  const family = textOf(childOf(childOf(system, 'VirtualHardwareSection'), 'System'), 'VirtualSystemType')
  return /^virtualbox-/.test(family) ? ['virtualbox'] : []
}

/** What comes out of a file is shown without what a terminal would obey. */
function printable(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '·').slice(0, 300)
}
