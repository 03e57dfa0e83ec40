import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { ApplianceError } from '../lib/errors/error.ts'
import { type DescribedIcon, type Description, descriptor } from '../lib/ovf/descriptor.ts'
import type { NicKind } from '../lib/ovf/hardware.ts'
import type { Property } from '../lib/ovf/properties.ts'
import type { Spec } from '../lib/spec/spec.ts'
import type { DiskSize } from './disk-size.ts'
import { guestSystemOf, type OsRelease } from './os-release.ts'
import { settingProperties } from './settings/properties.ts'

/** Sizes of the build hold unless the spec enlarges them for the customer. Bytes. */
export function hardwareOf({ basebox, pack }: Spec): {
  cpus: number
  memory: number
  disk: DiskSize | undefined
} {
  const { cpus, memory, disk } = pack.hardware
  return { cpus: cpus ?? basebox.cpus, memory: memory ?? basebox.memory, disk }
}

const kinds: Record<Spec['pack']['hardware']['networks'][number]['kind'], NicKind> = {
  vmxnet3: 'VmxNet3',
  e1000: 'E1000',
  e1000e: 'E1000e',
}

/** Everything the descriptor says but the disks. */
export type Words = Omit<Description, 'disk' | 'dataDisks'>

/** What the disk says of the guest. */
export interface Guest {
  os: OsRelease
  /** Whether it carries VMware's tools. */
  guestInfo: boolean
}

export async function wordsOf(
  spec: Spec,
  { os, guestInfo }: Guest,
  icon: DescribedIcon | undefined,
): Promise<Words> {
  const { name, version, product, pack } = spec
  const { cpus, memory } = hardwareOf(spec)
  const { networks, firmware, controller, version: hardwareVersion, guest_os: guestOs } = pack.hardware
  return {
    name,
    version,
    product: { title: product.title ?? name, vendor: product.vendor, url: product.url },
    annotation: pack.annotation,
    eula: await licence(pack.eula),
    properties: propertiesOf(spec),
    system: guestOs ?? guestSystemOf(os),
    ...(os.version !== undefined && { systemVersion: os.version }),
    guestInfo,
    cpus,
    memory: Math.ceil(memory / 2 ** 20) * 2 ** 20,
    nic: 'VmxNet3',
    networks: networks.map((network) => ({
      name: network.name,
      kind: kinds[network.kind],
      description: network.description ?? `The network ${network.name}`,
    })),
    firmware,
    controller,
    hardwareVersion,
    ...(icon && { icons: [icon] }),
  }
}

/** The built-in settings, then the user's own. */
export function propertiesOf({ name, pack }: Pick<Spec, 'name' | 'pack'>): Property[] {
  const own = pack.properties.map((property): Property => {
    const { key, type, label, description, category, default: value, choices, least, most } = property
    return {
      key,
      type,
      label: label ?? key,
      description: description ?? label ?? key,
      default: value ?? '',
      ...(category && { category }),
      ...(choices && { choices }),
      ...(least !== undefined && { least }),
      ...(most !== undefined && { most }),
    }
  })
  return [...settingProperties(pack.settings, name), ...own]
}

async function licence(eula: Spec['pack']['eula']): Promise<Description['eula']> {
  if (eula === undefined) return undefined
  if (typeof eula === 'string') return await readFile(eula, 'utf8')
  const texts = await Promise.all(
    Object.entries(eula).map(async ([language, path]) => [language, await readFile(path, 'utf8')] as const),
  )
  return Object.fromEntries(texts)
}

/** The picture as a member of the archive, and what the descriptor says of it. @see PNG, clause 11.2.2 (IHDR) */
export async function iconOf(
  path: string | undefined,
): Promise<{ described: DescribedIcon; content: Buffer } | undefined> {
  if (path === undefined) return undefined
  const content = await readFile(path)
  if (!isPng(content))
    throw new ApplianceError('input', `pack.icon: ${path} is no PNG`, {
      hint: 'Importers show PNG everywhere.',
    })
  const [width, height] = [content.readUInt32BE(16), content.readUInt32BE(20)]
  return {
    described: { file: basename(path), bytes: content.length, mimeType: 'image/png', width, height },
    content,
  }
}

/** @see PNG, clause 5.2: its signature; then IHDR */
export function isPng(content: Buffer): boolean {
  return content.length >= 24 && content.toString('latin1', 0, 8) === '\x89PNG\r\n\x1a\n'
}

export function describing(words: Words) {
  return (disk: Description['disk'], dataDisks: readonly Description['disk'][]): string =>
    descriptor({ ...words, disk, dataDisks })
}
