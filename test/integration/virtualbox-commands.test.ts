import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { DiskController } from '../../actions/lib/hypervisor/hypervisor.ts'
import { creating } from '../../actions/lib/hypervisor/virtualbox/commands.ts'
import { run } from '../../actions/lib/process/command.ts'

const version = await run('VBoxManage', ['--version'], { allowFailure: true }).then(
  ({ status, stdout }) => (status === 0 ? stdout.trim() : undefined),
  () => undefined,
)

// It needs no kernel module: nothing is started.
if (version === undefined) test.skip('skipped, because VBoxManage is not installed', () => {})
else
  describe(`VBoxManage ${version}`, () => {
    let folder: string
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'virtualbox-'))
    })
    afterEach(() => rm(folder, { recursive: true }))

    const image = async (name: string, size: number) => {
      const path = join(folder, name)
      if (name.endsWith('.vdi')) await run('qemu-img', ['create', '-q', '-f', 'vdi', path, String(size)])
      else await writeFile(path, '').then(() => truncate(path, size))
      return path
    }

    test.each<DiskController>(['ahci', 'virtio', 'ide', 'lsi', 'nvme'])(
      'makes the machine that our command lines say, its disks on %s',
      async (controller) => {
        const env = { VBOX_USER_HOME: join(folder, 'settings'), VBOX_IPC_SOCKETID: `test-${process.pid}` }
        const disks = [
          { path: await image('disk.vdi', 64 << 20), readOnly: false },
          { path: await image('tools.vdi', 8 << 20), readOnly: true, serial: 'tools' },
        ]
        const commands = creating({
          spec: {
            ...{ name: 'commands', cpus: 2, memory: 1 << 30, firmware: 'uefi', nic: 'virtio', controller },
            cd: await image('installer.iso', 1 << 20),
            floppy: await image('floppy.img', 1440 << 10),
          },
          folder,
          disks,
          mac: '52:54:00:77:00:1a',
          tunnel: { from: 40001, to: 40002 },
          serial: join(folder, 'serial.log'),
          publicKey: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGnM appliance build\n',
        })
        for (const command of commands) await run('VBoxManage', command, { env })
        const { stdout } = await run('VBoxManage', ['showvminfo', 'commands', '--machinereadable'], { env })
        for (const line of [
          'memory=1024',
          'cpus=2',
          'macaddress1="52540077001A"',
          'generic1="UDPTunnel"',
          `uartmode1="file,${folder}/serial.log"`,
          `"disks-0-0"="${folder}/disk.vdi"`,
          `"floppy-0-0"="${folder}/floppy.img"`,
        ])
          expect(stdout.split('\n')).toContain(line)
        expect(stdout).toContain(`-1-0"="${folder}/installer.iso"`)
        await run('VBoxManage', ['unregistervm', 'commands'], { env })
      },
    )
  })
