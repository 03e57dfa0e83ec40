import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../../../../actions/lib/process/command.ts'
import {
  bootableDisk,
  ovfOf,
  type Parts,
  parts,
  put,
  signedParts,
  tar,
  variant,
  vmdkOf,
} from '../specimen.ts'

/** Name of the failure → the rule that has to find it, the OVA, and when it is looked at (seconds since 1970). */
export type Zoo = Record<string, [string, () => Buffer | Promise<Buffer>, number?]>

export let folder: string
export let disk: string
export let vmdk: Buffer
export let ovf: string
export let good: Parts

/** Makes the good OVA that every specimen is a changed copy of. */
export async function prepare(): Promise<void> {
  folder = await mkdtemp(join(tmpdir(), 'ova-zoo-'))
  disk = await bootableDisk(join(folder, 'disk.raw'))
  vmdk = await vmdkOf(disk)
  ovf = ovfOf(vmdk)
  good = parts(ovf, vmdk)
}

export const clean = () => rm(folder, { recursive: true, force: true })

export async function byTar(...options: string[]): Promise<Buffer> {
  for (const { name, content } of good) await writeFile(join(folder, name), content)
  const file = join(folder, 'by-tar.ova')
  await run('tar', [...options, '-C', folder, '-cf', file, ...good.map(({ name }) => name)])
  return await readFile(file)
}

export async function signed(change = (text: string) => text): Promise<Parts> {
  return await signedParts(folder, good, change)
}

/** With another descriptor, and a manifest to it. */
export const withOvf = (change: (text: string) => string): Buffer => {
  const changed = change(ovf)
  if (changed === ovf) throw new Error('this specimen is a good one')
  return tar(parts(changed, vmdk))
}
export const swap = (from: string | RegExp, to: string) => () => withOvf((text) => text.replace(from, to))
export const withManifest = (change: (text: string) => string): Buffer => {
  const [descriptor, manifest, data] = good as [Parts[0], Parts[0], Parts[0]]
  return tar([descriptor, { ...manifest, content: Buffer.from(change(manifest.content.toString())) }, data])
}
/** With other bytes for the disk, everything else made to fit. */
export const withVmdk = (change: (bytes: Buffer) => Buffer | undefined): Buffer => {
  const copy = Buffer.from(vmdk)
  const changed = change(copy) ?? copy
  return tar(parts(ovfOf(changed), changed))
}
export const withDisk = async (name: string, change: (copy: string) => Promise<unknown>): Promise<Buffer> => {
  const changed = await vmdkOf(await variant(disk, name, change))
  return tar(parts(ovfOf(changed), changed))
}
export const holding = (path: string, content: string | Buffer) => (): Promise<Buffer> =>
  withDisk(path.replaceAll('/', '-'), (copy) => put(copy, path, content))
export const bytesAt = (at: number, bytes: Buffer) => async (copy: string) => {
  await using file = await open(copy, 'r+')
  await file.write(bytes, 0, bytes.length, at)
}
export const item = (type: number, inner = '') =>
  `<Item><rasd:ElementName>More</rasd:ElementName><rasd:InstanceID>99</rasd:InstanceID>${inner}<rasd:ResourceType>${type}</rasd:ResourceType></Item>\n    </VirtualHardwareSection>`
export const END = '</VirtualHardwareSection>'
export const footerAt = () => vmdk.length - 1024
