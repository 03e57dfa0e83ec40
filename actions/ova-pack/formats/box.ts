import { rm } from 'node:fs/promises'
import { type Member, writeBox } from '../../lib/box/archive.ts'
import { type BoxMachine, metadata, vagrantfile } from '../../lib/box/provider.ts'
import { packQcow2, type Qcow2Options } from '../../lib/qcow2/file.ts'

/**
 * The sealed appliance as a Vagrant box for libvirt. It holds no key of Vagrant's: whoever brings it up logs in as
 * the appliance's own customers do.
 */
export async function packBox(
  disk: string,
  path: string,
  machine: BoxMachine,
  work: string,
  options: Qcow2Options,
): Promise<void> {
  const image = await packQcow2(disk, `${work}/box.qcow2`, options)
  const members: Member[] = [
    { name: 'metadata.json', content: { text: metadata('libvirt', machine) } },
    { name: 'Vagrantfile', content: { text: vagrantfile('libvirt', machine) } },
    { name: 'box.img', content: { file: image } },
  ]
  await writeBox(path, members, options.signal)
  await rm(image)
}
