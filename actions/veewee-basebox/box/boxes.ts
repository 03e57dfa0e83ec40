import { mkdir, open, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Member, writeBox } from '../../lib/box/archive.ts'
import { type BoxMachine, metadata, type Provider, vagrantfile } from '../../lib/box/provider.ts'
import { openRoot } from '../../lib/disk/open-root.ts'
import { Pattern } from '../../lib/disk/pattern.ts'
import { sha256File } from '../../lib/files/digest.ts'
import type { Log } from '../../lib/log/log.ts'
import { descriptor } from '../../lib/ovf/descriptor.ts'
import { packQcow2 } from '../../lib/qcow2/file.ts'
import type { ToolsRoot } from '../../lib/tools/tools.ts'
import { writeVmdk } from '../../lib/vmdk/file.ts'
import { type CataloguedBox, catalogue } from './catalogue.ts'

export interface BoxOrder {
  /** The base machine, raw; the box's login is put on it. */
  disk: string
  /** Of the box, e.g. license-server-base. */
  name: string
  version: string
  providers: readonly Provider[]
  machine: BoxMachine
  /** Folder for the boxes and their catalogue; replaced when all are whole. */
  folder: string
  /** On the same file system. */
  work: string
  tools: ToolsRoot
  log: Log
  signal: AbortSignal
}

/**
 * Vagrant's public "insecure" key, which a box carries until `vagrant up` replaces it; the base disk itself never
 * holds it.
 *
 * @see https://github.com/hashicorp/vagrant/tree/main/keys
 */
const INSECURE_KEY =
  'ssh-rsa AAAAB3NzaC1yc2EAAAABIwAAAQEA6NF8iallvQVp22WDkTkyrtvp9eWW6A8YVr+kz4TjGYe7gHzIw+niNltGEFHzD8+v1I2YJ6oXevct1YeS0o9HZyN1Q9qgCgzUFtdOKLv6IedplqoPkcmF0aYet2PkEDo3MlTBckFXPITAMzF8dJSIFo9D8HfdOV0IAdx4O7PtixWKn5y2hMNG0zQPyUecp4pzC6kivAIhyfHilFR61RGL+GPXQ2MWZWFYbAGjyiYJnAmCP3NOTd0jMZEnDkbUvxhMmBYSdETk1rRgm+R4LOzFUGaHqHDLKLX+FIPKcF96hrucXzcWyLbIbEgE98OHlnVYCzRdK8jlqm8tehUc9c9WhQ== vagrant insecure public key\n'

/** Makes a `.box` for each provider from one disk, and their catalogue. Returns the catalogue's path. */
export async function makeBoxes(order: BoxOrder): Promise<string> {
  const { name, version, folder, work, signal } = order
  const made = join(work, 'boxes')
  await rm(made, { recursive: true, force: true })
  await mkdir(made, { recursive: true })
  if (order.machine.user === 'root') await letVagrantIn(order)
  const images = imagesOf(order)
  const listed: CataloguedBox[] = []
  for (const provider of order.providers) {
    const file = `${name}-${provider}.box`
    const members: Member[] = [
      { name: 'metadata.json', content: { text: metadata(provider, order.machine) } },
      { name: 'Vagrantfile', content: { text: vagrantfile(provider, order.machine) } },
      ...(provider === 'virtualbox' ? await images.virtualbox() : await images.qcow2()),
    ]
    await writeBox(join(made, file), members, signal)
    const url = pathToFileURL(join(folder, file)).href
    listed.push({ provider, url, sha256: await sha256File(join(made, file), signal) })
  }
  await writeFile(join(made, `${name}.json`), catalogue(name, version, listed))
  await rm(folder, { recursive: true, force: true })
  await rename(made, folder)
  return join(folder, `${name}.json`)
}

/** Vagrant's login, offline, on this copy of the disk alone. */
async function letVagrantIn({ disk, tools, work, signal }: BoxOrder): Promise<void> {
  const { root } = await openRoot(disk, tools, join(work, 'box-login'), signal)
  const [folder, file] = ['/root/.ssh', '/root/.ssh/authorized_keys']
  const there = await root.tree([new Pattern(folder), new Pattern(file)])
  await root.apply([
    ...(there.has(folder) ? [] : [{ kind: 'folder' as const, path: folder }]),
    { kind: 'write', path: file, content: Buffer.from(INSECURE_KEY), mode: 0o600, over: there.get(file) },
  ])
}

/** Each image is made once, when the first box needs it. */
function imagesOf(order: BoxOrder) {
  const { disk, name, machine, work, log, signal } = order
  let qcow2: Promise<Member[]> | undefined
  const makeQcow2 = async (): Promise<Member[]> => {
    const file = await packQcow2(disk, join(work, 'box.qcow2'), { signal })
    return [{ name: 'box.img', content: { file } }]
  }
  const virtualbox = async (): Promise<Member[]> => {
    const capacity = (await stat(disk)).size
    const file = 'box-disk1.vmdk'
    const path = join(work, file)
    const out = await open(path, 'w')
    try {
      const vmdk = await writeVmdk({ disk, capacity, name: file, log, signal }, (bytes) =>
        out.writeFile(bytes),
      )
      const ovf = descriptor({
        name,
        version: order.version,
        product: { title: name, vendor: undefined, url: undefined },
        annotation: undefined,
        eula: undefined,
        properties: [],
        system: 'linux',
        cpus: machine.cpus,
        memory: machine.memory,
        nic: 'E1000',
        firmware: 'bios',
        disk: { file, bytes: vmdk.bytes, capacity, populated: vmdk.populated },
      })
      return [
        { name: 'box.ovf', content: { text: ovf } },
        { name: file, content: { file: path } },
      ]
    } finally {
      await out.close()
    }
  }
  return {
    qcow2() {
      qcow2 ??= makeQcow2()
      return qcow2
    },
    virtualbox,
  }
}
