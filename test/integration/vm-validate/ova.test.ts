import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { sha256, sha256File } from '../../../actions/lib/files/digest.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { importOva } from '../../../actions/vm-validate/ova/import.ts'

const signal = new AbortController().signal

const ovf = `<Envelope><References><File href="box-disk1.vmdk" id="f"/></References>
<DiskSection><Disk capacity="8" capacityAllocationUnits="byte * 2^20" diskId="d" fileRef="f"/></DiskSection>
<VirtualSystem id="box"><VirtualHardwareSection>
<Item><InstanceID>1</InstanceID><ResourceType>3</ResourceType><VirtualQuantity>1</VirtualQuantity></Item>
<Item><AllocationUnits>byte * 2^20</AllocationUnits><InstanceID>2</InstanceID><ResourceType>4</ResourceType><VirtualQuantity>512</VirtualQuantity></Item>
<Item><InstanceID>3</InstanceID><ResourceSubType>AHCI</ResourceSubType><ResourceType>20</ResourceType></Item>
<Item><HostResource>ovf:/disk/d</HostResource><InstanceID>4</InstanceID><Parent>3</Parent><ResourceType>17</ResourceType></Item>
<Item><InstanceID>5</InstanceID><ResourceSubType>E1000</ResourceSubType><ResourceType>10</ResourceType></Item>
</VirtualHardwareSection></VirtualSystem></Envelope>`

describe('an OVA packed by tar and qemu-img', () => {
  let folder: string
  let ova: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'appliance-ova-'))
    ova = join(folder, 'box.ova')
    await mkdir(join(folder, 'out'))
    const raw = join(folder, 'raw')
    await writeFile(raw, Buffer.alloc(8 << 20, 'appliance '))
    const vmdk = join(folder, 'box-disk1.vmdk')
    await run('qemu-img', [
      'convert',
      '-f',
      'raw',
      '-O',
      'vmdk',
      '-o',
      'subformat=streamOptimized',
      raw,
      vmdk,
    ])
    await writeFile(join(folder, 'box.ovf'), ovf)
    await writeFile(
      join(folder, 'box.mf'),
      `SHA256(box.ovf)= ${sha256(ovf)}\nSHA256(box-disk1.vmdk)= ${await sha256File(vmdk)}\n`,
    )
  })
  afterEach(() => rm(folder, { recursive: true }))

  const pack = (members = ['box.ovf', 'box.mf', 'box-disk1.vmdk'], format = 'ustar') =>
    run('tar', [`--format=${format}`, '-cf', ova, ...members], { cwd: folder })
  const open = () => importOva(ova, join(folder, 'out'), signal)

  test('is held to its manifest, and its disk is unpacked', async () => {
    await pack()
    const opened = await open()
    expect(opened.machine).toMatchObject({
      cpus: 1,
      memory: 512 << 20,
      controller: 'ahci',
      nic: 'e1000',
      remarks: [],
    })
    expect(opened.diskSha256).toBe(await sha256File(join(folder, 'box-disk1.vmdk')))
    expect(opened.ovaSha256).toBe(await sha256File(ova))
    await run('qemu-img', ['compare', '-f', 'vmdk', '-F', 'raw', opened.disk, join(folder, 'raw')])
  })

  test('one changed byte in the disk is found, and named', async () => {
    await pack()
    const bytes = await readFile(ova)
    const at = bytes.length - (20 << 10)
    bytes[at] = bytes[at]! ^ 1
    await writeFile(ova, bytes)
    await expect(open()).rejects.toMatchObject({
      code: 'digest-mismatch',
      message: expect.stringMatching(/box\.ova: box-disk1\.vmdk has sha256 .*its manifest says/),
    })
  })

  test.each<[string, string[], RegExp]>([
    ['another order', ['box-disk1.vmdk', 'box.ovf', 'box.mf'], /first member is not the descriptor/],
    ['a missing disk', ['box.ovf', 'box.mf'], /names the disk box-disk1\.vmdk, which is not in the archive/],
    [
      'names with folders',
      ['./box.ovf', './box.mf', './box-disk1.vmdk'],
      /not a plain file with a plain name/,
    ],
  ])('%s is refused', async (_, members, message) => {
    await pack(members)
    await expect(open()).rejects.toMatchObject({
      code: 'check-failed',
      message: expect.stringMatching(message),
    })
  })

  test('PAX headers, which VirtualBox refuses, are refused', async () => {
    await pack(undefined, 'pax')
    await expect(open()).rejects.toMatchObject({ code: 'check-failed' })
  })

  test('a file that the manifest leaves out is refused', async () => {
    await writeFile(join(folder, 'box.mf'), `SHA256(box.ovf)= ${sha256(ovf)}\n`)
    await pack()
    await expect(open()).rejects.toThrow(/has no digest of box-disk1\.vmdk/)
  })

  test('an archive cut short is refused', async () => {
    await pack()
    await run('truncate', ['-s', '20000', ova])
    await expect(open()).rejects.toThrow(/is cut short/)
  })
})
