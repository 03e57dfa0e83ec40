import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { freePort } from '../../../actions/lib/network/free-port.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { makeBoxes } from '../../../actions/veewee-basebox/box/boxes.ts'
import { cannotMakeSmallDisk, smallDisk } from '../../fixtures/small-disk.ts'
import { quietLog } from '../ova-pack/quiet-log.ts'

/** Vagrant's provider for QEMU alone: no daemon, no network of its own. */
const PLUGIN = [
  ...['--plugin-clean-sources', '--plugin-source', 'https://rubygems.org'],
  ...['vagrant-qemu', '--plugin-version', '0.7.0'],
]
const { signal } = new AbortController()
const tools = { directory: '/', key: '', run }

const why =
  process.env.APPLIANCE_TESTS === 'full'
    ? await cannotMakeSmallDisk()
    : 'it boots a machine by Vagrant, some two minutes: script/test full'
if (why) test.skip(`skipped, because ${why}`, () => {})
else
  describe('Vagrant itself, unmodified', () => {
    let folder: string
    const vagrant = async (...args: string[]) => {
      const env = { VAGRANT_HOME: join(folder, 'home'), VAGRANT_CHECKPOINT_DISABLE: '1', HOME: folder }
      return (await run('vagrant', args, { env, signal, cwd: join(folder, 'project') })).stdout
    }

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'vagrant-up-'))
      await mkdir(join(folder, 'project'))
      const work = join(folder, 'work')
      await mkdir(work)
      const disk = join(work, 'disk.raw')
      await run('qemu-img', ['convert', '-O', 'raw', await smallDisk(), disk])
      const catalogue = await makeBoxes({
        disk,
        name: 'small-base',
        version: '20261122.1',
        providers: ['libvirt'],
        machine: { cpus: 2, memory: 2 ** 30, disk: 2 ** 30, user: 'root', mac: '080027ABCDEF' },
        folder: join(folder, 'boxes'),
        work,
        tools,
        log: quietLog(),
        signal,
      })
      await vagrant('plugin', 'install', ...PLUGIN)
      // The plugin takes boxes of libvirt's format.
      await vagrant('box', 'add', '--provider', 'libvirt', catalogue)
      // Of the machine the box says all but where it is; the port and the accelerator are this computer's affair.
      await writeFile(
        join(folder, 'project/Vagrantfile'),
        `Vagrant.configure("2") do |config|
  config.vm.box = "small-base"
  config.vm.boot_timeout = 900
  config.vm.provider :qemu do |qemu|
    qemu.ssh_port = ${await freePort()}
    qemu.machine = "q35,accel=tcg"
  end
end
`,
      )
    })
    afterAll(async () => {
      await vagrant('destroy', '-f').catch(() => {})
      await rm(folder, { recursive: true, force: true })
    })

    test('brings the box up, runs a command in it and takes it down', async () => {
      await vagrant('up', '--provider', 'qemu')
      expect(await vagrant('status', '--machine-readable')).toMatch(/,state,running$/m)
      expect(await vagrant('ssh', '-c', 'id -un; hostname')).toMatch(/^root\r?\nsmall/)
      await vagrant('halt', '-f')
      expect(await vagrant('status', '--machine-readable')).toMatch(/,state,stopped$/m)
    })
  })
