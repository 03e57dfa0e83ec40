import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, jest, test } from '@jest/globals'
import { descriptor } from '../../../actions/lib/ovf/descriptor.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { packOva } from '../../../actions/ova-pack/ova.ts'
import { importOva } from '../../../actions/vm-validate/ova/import.ts'
import { Lines } from './project.ts'

jest.setTimeout(120_000)

test('what ova-pack writes, vm-validate reads: every digest, the machine, the disk', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'appliance-our-ova-'))
  try {
    const disk = join(folder, 'disk.raw')
    await writeFile(disk, Buffer.alloc(4 << 20, 'appliance '))
    await run('truncate', ['-s', '16M', disk])
    const path = join(folder, 'box-1.ova')
    const signal = new AbortController().signal
    const machine = { cpus: 2, memory: 2 ** 31, nic: 'VmxNet3', firmware: 'efi' } as const
    const { vmdk } = await packOva({
      disk,
      path,
      log: new Lines(),
      signal,
      describe: (disk) =>
        descriptor({
          name: 'box',
          version: '1',
          product: { title: 'Box & <Co>', vendor: undefined, url: undefined },
          annotation: undefined,
          eula: undefined,
          properties: [],
          system: 'debian',
          ...machine,
          disk,
        }),
    })
    await mkdir(join(folder, 'in'))
    const imported = await importOva(path, join(folder, 'in'), signal)
    expect(imported.machine).toMatchObject({
      name: 'box',
      cpus: 2,
      memory: 2 ** 31,
      nic: 'vmxnet3',
      controller: 'lsi',
      firmware: 'uefi',
      capacity: 16 << 20,
    })
    expect(imported.diskSha256).toBe(vmdk.sha256)
    await run('qemu-img', ['compare', '-f', 'vmdk', '-F', 'raw', imported.disk, disk])
  } finally {
    await rm(folder, { recursive: true })
  }
})
