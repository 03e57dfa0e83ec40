import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { sha256, sha256File } from '../../../actions/lib/files/digest.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { makeBoxes } from '../../../actions/veewee-basebox/box/boxes.ts'
import { catalogue } from '../../../actions/veewee-basebox/box/catalogue.ts'
import { quietLog } from '../ova-pack/quiet-log.ts'
import { debugfs, type Files, sampleDisk } from '../ova-pack/sample-disk.ts'

jest.setTimeout(180_000)

const { signal } = new AbortController()
/** The host's e2fsprogs stand in for the tools root's. */
const tools = { directory: '/', key: '', run }
const MIB = 2 ** 20
let folder: string
let boxes: string

async function make(where: string, version = '20261122.20905'): Promise<string> {
  const work = join(folder, `${where}-work`)
  await mkdir(work, { recursive: true })
  await cp(join(folder, 'disk.raw'), join(work, 'disk.raw'))
  return await makeBoxes({
    disk: join(work, 'disk.raw'),
    name: 'sample-base',
    version,
    providers: ['libvirt', 'virtualbox', 'qemu'],
    machine: { cpus: 2, memory: 1024 * MIB, disk: 48 * MIB, user: 'root', mac: '080027ABCDEF' },
    folder: join(folder, where),
    work,
    tools,
    log: quietLog(),
    signal,
  })
}

/** Unpacks a box and returns its folder. */
async function unpacked(provider: string): Promise<string> {
  const to = join(folder, `unpacked-${provider}`)
  await mkdir(to, { recursive: true })
  await run('tar', ['-xf', join(boxes, `sample-base-${provider}.box`), '-C', to])
  return to
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'appliance-box-'))
  await sampleDisk(join(folder, 'disk.raw'), { '/etc/hostname': 'sample\n', '/root': 'folder' })
  await make('boxes')
  boxes = join(folder, 'boxes')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test('the same disk makes the same bytes', async () => {
  await make('again')
  for (const provider of ['libvirt', 'virtualbox', 'qemu']) {
    const name = `sample-base-${provider}.box`
    expect(await sha256File(join(folder, 'again', name))).toBe(await sha256File(join(boxes, name)))
  }
})

test.each(['libvirt', 'qemu'])(
  'the %s box holds the disk, with the login that Vagrant knows',
  async (provider) => {
    const box = await unpacked(provider)
    expect(JSON.parse(await readFile(join(box, 'metadata.json'), 'utf8'))).toEqual({
      provider,
      architecture: 'amd64',
      format: 'qcow2',
      virtual_size: 1,
    })
    const raw = join(box, 'raw')
    await run('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', join(box, 'box.img'), raw])
    expect(await debugfs(raw, 'cat /root/.ssh/authorized_keys')).toMatch(
      /^ssh-rsa \S+ vagrant insecure public key\n$/,
    )
    expect(await debugfs(raw, 'stat /root/.ssh/authorized_keys')).toMatch(/Mode: +0600/)
    expect(await debugfs(raw, 'cat /etc/hostname')).toBe('sample\n')
    await run('e2fsck', ['-fn', `${raw}?offset=${3 * MIB}`])
  },
)

test('a login that root has already is replaced', async () => {
  const files: Files = { '/etc/hostname': 'x\n', '/root/.ssh/authorized_keys': 'ssh-ed25519 AAAA other\n' }
  await rename(join(folder, 'disk.raw'), join(folder, 'usual.raw'))
  await sampleDisk(join(folder, 'disk.raw'), files)
  await make('other')
  await rename(join(folder, 'usual.raw'), join(folder, 'disk.raw'))
  const disk = join(folder, 'other-work/disk.raw')
  expect(await debugfs(disk, 'cat /root/.ssh/authorized_keys')).toMatch(/^ssh-rsa \S+ vagrant insecure/)
})

test('the virtualbox box holds a VMDK and an OVF that describes it', async () => {
  const box = await unpacked('virtualbox')
  const raw = join(box, 'raw')
  await run('qemu-img', ['convert', '-f', 'vmdk', '-O', 'raw', join(box, 'box-disk1.vmdk'), raw])
  expect(await debugfs(raw, 'cat /etc/hostname')).toBe('sample\n')
  const ovf = await readFile(join(box, 'box.ovf'), 'utf8')
  expect(ovf).toContain('ovf:href="box-disk1.vmdk"')
  expect(ovf).toContain('ovf:capacity="48"')
  expect(await readFile(join(box, 'Vagrantfile'), 'utf8')).toContain('config.vm.base_mac = "080027ABCDEF"')
})

test.each(['libvirt', 'virtualbox', 'qemu'])('the Vagrantfile of the %s box is Ruby', async (provider) => {
  const { stdout } = await run('ruby', ['-wc', join(await unpacked(provider), 'Vagrantfile')])
  expect(stdout).toBe('Syntax OK\n')
})

describe('Vagrant itself', () => {
  const vagrant = async (...args: string[]) => {
    const env = { VAGRANT_HOME: join(folder, 'vagrant'), VAGRANT_CHECKPOINT_DISABLE: '1', HOME: folder }
    return (await run('vagrant', args, { env, signal })).stdout
  }
  afterAll(() => rm(join(folder, 'vagrant'), { recursive: true, force: true }))

  test.each(['libvirt', 'virtualbox', 'qemu'])(
    'adds the %s box from the catalogue and lists it',
    async (provider) => {
      await vagrant('box', 'add', '--provider', provider, join(boxes, 'sample-base.json'))
      expect(await vagrant('box', 'list')).toMatch(
        new RegExp(`^sample-base +\\(${provider}, 20261122\\.20905\\)$`, 'm'),
      )
    },
  )

  test('sees a newer one in the catalogue', async () => {
    await make('boxes', '20261130.1')
    expect(await vagrant('box', 'outdated', '--global')).toMatch(
      /'sample-base' for 'qemu' is outdated! Current: 20261122\.20905\. Latest: 20261130\.1/,
    )
  })

  test('refuses a box with other bytes than the catalogue says', async () => {
    const file = join(folder, 'forged.json')
    const listed = [
      {
        provider: 'libvirt' as const,
        url: pathToFileURL(join(boxes, 'sample-base-libvirt.box')).href,
        sha256: sha256('something else'),
      },
    ]
    await writeFile(file, catalogue('forged', '1.0', listed))
    await expect(vagrant('box', 'add', file)).rejects.toMatchObject({
      stderrTail: expect.stringMatching(/checksum/i),
    })
  })
})
