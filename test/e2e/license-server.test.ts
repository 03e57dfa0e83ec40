import { createReadStream } from 'node:fs'
import { mkdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { sha256File } from '../../actions/lib/files/digest.ts'
import { buildKey } from '../../actions/lib/guest/key.ts'
import type { MachineSpec } from '../../actions/lib/hypervisor/hypervisor.ts'
import { qemu } from '../../actions/lib/hypervisor/qemu/hypervisor.ts'
import type { MachineNetwork } from '../../actions/lib/network/network.ts'
import { privateNetwork } from '../../actions/lib/network/private.ts'
import { run } from '../../actions/lib/process/command.ts'
import { Services } from '../dist/emulator/services.ts'
import { Workspace } from '../dist/emulator/step.ts'
import {
  appliance,
  buildExample,
  exampleBuild,
  exampleFolder,
  exampleOva,
  record,
} from '../fixtures/example.ts'
import { isInside, testsInside } from '../fixtures/inside.ts'
import { keptLog, serveEcho } from '../fixtures/machine-room.ts'
import { settingsIso, testAuthority } from '../fixtures/ovf-environment.ts'

/** Folders of their records. */
const stages = [
  'mirror-deps',
  'veewee-basebox',
  'chef-provision',
  'vm-validate',
  'ova-pack',
  'vm-validate/ova',
]
const scratch = join(exampleBuild, '..', 'scratch')
const vmdk = join(scratch, 'disk.vmdk')
const raw = join(scratch, 'disk.raw')

/** Whether a file has these bytes in it; grep would take twenty gigabytes of zeros for one line. */
async function holds(path: string, wanted: Buffer): Promise<boolean> {
  let before: Buffer = Buffer.alloc(0)
  for await (const chunk of createReadStream(path, { highWaterMark: 4 << 20 })) {
    const bytes = Buffer.concat([before, chunk as Buffer])
    if (bytes.includes(wanted)) return true
    before = bytes.subarray(-wanted.length)
  }
  return false
}

if (!isInside()) {
  const said = await buildExample()
  await rm(scratch, { recursive: true, force: true })
  await mkdir(scratch, { recursive: true })
  const { stdout: listed } = await run('tar', ['-tf', exampleOva])
  const members = listed.trim().split('\n')
  await run('tar', ['-xf', exampleOva, '-C', scratch])
  await run('mv', [join(scratch, members[2]!), vmdk])

  describe('building the example', () => {
    test('ends with a table of the stages', () => {
      for (const stage of [
        'mirror-deps',
        'veewee-basebox',
        'chef-provision',
        'vm-validate',
        'ova-pack',
        'vm-validate, the OVA',
        'total',
      ])
        expect(said).toMatch(new RegExp(`^${stage} +(up to date|\\d)`, 'm'))
      expect(said).toContain(exampleOva)
    })

    test('a second time finds everything up to date', async () => {
      const { status, output } = await appliance('build')
      expect(status).toBe(0)
      expect(output.match(/ up to date\b/g)?.length).toBeGreaterThanOrEqual(6)
      expect(output).not.toMatch(/\bagain\b/)
    })

    test('keeps every process of ours under 300 MB', async () => {
      for (const folder of stages) {
        const { peakMemory } = JSON.parse(await readFile(join(exampleBuild, folder, 'timings.json'), 'utf8'))
        expect(peakMemory).toBeGreaterThan(30e6)
        expect(peakMemory).toBeLessThan(300e6)
      }
    })

    test('tries to reach nothing but the mirror, but for what every system does by itself', async () => {
      for (const folder of [
        'veewee-basebox',
        'chef-provision',
        'vm-validate',
        'ova-pack',
        'vm-validate/ova',
      ]) {
        const tried = JSON.parse(await readFile(join(exampleBuild, folder, 'escapes.json'), 'utf8'))
        expect(tried).toEqual(tried.map(() => expect.objectContaining({ harmless: expect.any(String) })))
        const lacking = await readFile(join(exampleBuild, folder, 'lacking.json'), 'utf8')
        expect(JSON.parse(lacking)).toEqual([])
      }
      // A machine that went on from a layer has asked before.
      const { steps } = JSON.parse(
        await readFile(join(exampleBuild, 'chef-provision', 'report.json'), 'utf8'),
      )
      if (steps.some(({ from }: { from: string }) => from === 'layer')) return
      const access = await readFile(join(exampleBuild, 'chef-provision', 'access.log'), 'utf8')
      expect(access).toMatch(/^GET \/deb\/debian\/dists\/appliance\/InRelease 200 \d+$/m)
    })

    test('says what is biggest on the base machine', async () => {
      const report = await readFile(join(exampleBuild, 'veewee-basebox', 'report.md'), 'utf8')
      expect(report).toMatch(/^### The base machine: \d+ packages, \d[\d.]* [MG]B on disk$/m)
      expect(report).toMatch(/^\| linux-image-6\.\d\S+-amd64 \| /m)
    })

    test('gives a box that Vagrant takes', async () => {
      const home = join(scratch, 'vagrant')
      const env = { VAGRANT_HOME: home, VAGRANT_CHECKPOINT_DISABLE: '1', HOME: home }
      const catalogue = join(exampleBuild, 'veewee-basebox', 'boxes', 'license-server-base.json')
      await mkdir(home, { recursive: true })
      try {
        await run('vagrant', ['box', 'add', '--provider', 'libvirt', catalogue], { env })
        const { stdout } = await run('vagrant', ['box', 'list'], { env })
        expect(stdout).toMatch(/^license-server-base \(libvirt, \d{8}\.\d+\)$/m)
      } finally {
        await rm(home, { recursive: true, force: true })
      }
    })

    test('runs every scenario on the disk, and the smoke ones on the OVA', async () => {
      const disk = await readFile(join(exampleBuild, 'vm-validate', 'report.xml'), 'utf8')
      const ova = await readFile(join(exampleBuild, 'vm-validate', 'ova', 'report.xml'), 'utf8')
      expect(disk).toContain('A licence survives a restore')
      expect(ova).toContain('A licence survives a restore')
      expect(disk).not.toMatch(/<failure|<error/)
      expect((await record('vm-validate')).outputs.verdict!.value).toBe('passed')
    })
  })

  describe('the actions, from dist under Node 24, on what is built', () => {
    /** When each stage last worked. */
    const whenMade = () =>
      Promise.all(
        stages.map(async (stage) => [stage, (await stat(join(exampleBuild, stage, 'stage.json'))).mtimeMs]),
      )
    test.each([
      ['mirror-deps', ['mirror', 'lock', 'cache-hit', 'downloaded-bytes']],
      ['veewee-basebox', ['disk']],
      ['chef-provision', ['disk', 'report']],
      ['vm-validate', ['verdict', 'report', 'evidence']],
      ['ova-pack', ['ova', 'ova-sha256', 'files']],
      ['appliance', ['ova', 'ova-sha256']],
    ])(
      '%s finds it up to date, gives its outputs and, if it packs, the artifact',
      async (action, promised) => {
        await using services = await Services.start()
        await using workspace = await Workspace.create(services.environment)
        const before = await whenMade()
        const { status, outputs, stdout } = await workspace.run(action, {
          'working-directory': exampleFolder,
        })
        expect(`${status}\n${stdout}`).toMatch(/^0\n/)
        expect(await whenMade()).toEqual(before)
        expect(Object.keys(outputs)).toEqual(expect.arrayContaining(promised))
        if (!outputs.ova) return
        expect(outputs['ova-sha256']).toBe(await sha256File(exampleOva))
        const [artifact] = services.artifacts
        expect(artifact?.hash).toBe(`sha256:${outputs['ova-sha256']}`)
      },
    )
  })

  describe('the OVA as a file', () => {
    test('is descriptor, manifest, disk, in that order', () => {
      expect(members.map((name) => name.split('.').at(-1))).toEqual(['ovf', 'mf', 'vmdk'])
    })

    test('has the digests its manifest says', async () => {
      const manifest = await readFile(join(scratch, members[1]!), 'utf8')
      const promised = new Map(
        [...manifest.matchAll(/^SHA256\((.+)\)= ([0-9a-f]{64})$/gm)].map(([, name, hex]) => [name, hex]),
      )
      expect([...promised.keys()].sort()).toEqual([members[0], members[2]].sort())
      expect(promised.get(members[0]!)).toBe(await sha256File(join(scratch, members[0]!)))
      expect(promised.get(members[2]!)).toBe(await sha256File(vmdk))
      expect((await record('ova-pack')).outputs['ova-sha256']!.value).toBe(await sha256File(exampleOva))
    })

    test('holds a disk that qemu-img finds whole and the same as its raw form', async () => {
      await run('qemu-img', ['check', '-f', 'vmdk', vmdk])
      await run('qemu-img', ['convert', '-f', 'vmdk', '-O', 'raw', vmdk, raw])
      const { stdout } = await run('qemu-img', ['compare', '-f', 'vmdk', '-F', 'raw', vmdk, raw])
      expect(stdout).toContain('Images are identical.')
      const report = JSON.parse(await readFile(join(exampleBuild, 'ova-pack', 'report.json'), 'utf8'))
      expect(JSON.stringify(report)).toContain(await sha256File(raw))
    })
  })

  describe('the disk, read offline by debugfs', () => {
    /** The root partition in the disk, as e2fsprogs names it. */
    const rootDevice = async () => {
      const { stdout: table } = await run('sfdisk', ['--json', raw])
      const parts = JSON.parse(table).partitiontable.partitions as { start: number; type: string }[]
      const root = parts.find(({ type }) => type === '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709')!
      return `${raw}?offset=${root.start * 512}`
    }
    const inside = async (command: string) => {
      const { stdout, stderr } = await run('debugfs', ['-R', command, await rootDevice()], {
        allowFailure: true,
      })
      return `${stdout}${stderr.replace(/^debugfs .*\n/, '')}`
    }
    const names = async (folder: string) =>
      (await inside(`ls -p ${folder}`)).split('\n').flatMap((line) => {
        const name = line.split('/')[5]
        return name && name !== '.' && name !== '..' ? [name] : []
      })

    test('is an ext4 file system without a fault', async () => {
      await run('e2fsck', ['-fn', await rootDevice()])
    })

    test('is this appliance: its command is there', async () => {
      expect(await names('/opt/license-server/app')).toContain('Gemfile.lock')
    })

    test('has no machine-id, host keys, keys of the build, random seed', async () => {
      expect(await inside('cat /etc/machine-id')).toBe('')
      expect((await names('/etc/ssh')).filter((name) => name.startsWith('ssh_host_'))).toEqual([])
      expect(await inside('stat /root/.ssh/authorized_keys')).toContain('File not found')
      expect(await inside('stat /var/lib/systemd/random-seed')).toContain('File not found')
      expect(await inside('stat /var/lib/systemd/credential.secret')).toContain('File not found')
    })

    test('has no Chef, no tools, no mirror', async () => {
      expect(await inside('stat /tools')).toContain('File not found')
      expect(await inside('stat /etc/chef')).toContain('File not found')
      expect(await inside('stat /var/tmp/appliance')).toContain('File not found')
      expect(await names('/var/lib/apt/lists')).not.toContainEqual(expect.stringContaining('mirror'))
    })

    test('has no journal, lease, history, or database of another installation', async () => {
      expect(await names('/var/log/journal').catch(() => [])).toEqual([])
      expect(await names('/var/lib/systemd/network').catch(() => [])).toEqual([])
      expect(await inside('stat /root/.bash_history')).toContain('File not found')
      expect(await inside('stat /var/lib/postgresql/15/main')).toContain('File not found')
      expect(await inside('stat /etc/udev/rules.d/70-persistent-net.rules')).toContain('File not found')
    })

    test('nowhere holds the build key', async () => {
      const key = (await readFile(join(exampleBuild, 'key', 'id_ed25519.pub'), 'utf8')).split(' ')[1]!
      expect(await holds(raw, Buffer.from(key))).toBe(false)
      expect(await holds(raw, Buffer.from('License Server'))).toBe(true) // the search itself works
    })
  })
  await testsInside(import.meta.url)
} else {
  /** What a customer's machine is at its first boot: another MAC, another NIC, BIOS or UEFI. */
  const customers = {
    'by BIOS, with an e1000': { firmware: 'bios', nic: 'e1000', controller: 'lsi', mac: '52:54:00:ab:cd:01' },
    'by UEFI, with a vmxnet3': {
      firmware: 'uefi',
      nic: 'vmxnet3',
      controller: 'ahci',
      mac: '52:54:00:ab:cd:02',
    },
  } as const
  /** Files that not everybody may read, and that are no secret. */
  const harmless = [
    /^\/etc\/(g?shadow|cron\.d\/license-server)$/,
    /^\/etc\/postgresql\/15\/main\/\w+\.conf$/,
    /^\/var\/cache\/ldconfig\/aux-cache$/,
    // How this test itself gets in.
    /^\/root\/\.ssh\/authorized_keys$/,
  ]
  /** What one of the customers says on import. */
  const given = {
    hostname: 'licences.example.test',
    address: '10.77.0.5/24',
    gateway: '10.77.0.1',
    dns: '10.77.0.1',
    search: 'example.test',
    ntp: 'ntp.example.test',
    proxy: 'http://proxy.example.test:3128',
    no_proxy: 'localhost,127.0.0.1,.example.test',
    ca: await readFile(await testAuthority(scratch), 'utf8'),
  }
  const seen: { machineId: string; hostKey: string; secrets: string; closed: string }[] = []

  describe.each(Object.entries(customers))('as a customer boots it, %s', (name, hardware) => {
    const log = keptLog()
    let stop: (() => Promise<void>) | undefined
    let answers: {
      machineId: string
      hostKey: string
      authorized: string
      health: string
      failed: string
      address: string
      settings: string
      trusted: string
      network: string
      proxy: string
      secrets: string
      closed: string
    }

    beforeAll(async () => {
      const network = await privateNetwork({ serve: serveEcho, log })
      const signal = new AbortController().signal
      const cd = hardware.firmware === 'bios' ? await settingsIso(scratch, given) : undefined
      const spec: MachineSpec = {
        ...(cd && { cd }),
        name: name.split(' ')[1]!.replace(',', ''),
        disk: { path: vmdk, format: 'vmdk' },
        throwAway: true,
        cpus: 2,
        memory: 2 * 2 ** 30,
        ...hardware,
        readOnlyDisks: [],
        login: { user: 'root', key: await buildKey(exampleBuild), credential: true },
        evidence: join(scratch, 'evidence'),
        accel: 'auto',
      }
      // Who has a static address asks for none.
      const seenFrom: MachineNetwork = {
        ...network,
        plug: (plugged) => network.plug({ ...plugged, ...(cd && { address: '10.77.0.5' }) }),
      }
      const machine = await qemu({ network: () => seenFrom, log, workDirectory: scratch }).boot(spec, signal)
      stop = async () => {
        await machine[Symbol.asyncDispose]()
        await network[Symbol.asyncDispose]()
      }
      const guest = await machine.guest(signal)
      await guest.run('systemctl is-system-running --wait || true', { timeout: 600_000 })
      const said = async (command: string) => (await guest.run(command, { allowFailure: true })).stdout.trim()
      const { host, port } = await machine.reach(80)
      const health = await fetch(`http://${host}:${port}/health`)
      answers = {
        machineId: await said('cat /etc/machine-id'),
        hostKey: await said('cat /etc/ssh/ssh_host_ed25519_key.pub'),
        authorized: await said('cat /root/.ssh/authorized_keys | wc -l'),
        health: `${health.status}`,
        failed: await said('systemctl --failed --plain --no-legend'),
        address: await machine.address(signal),
        settings: await said(
          'hostname; cat /etc/hostname /etc/systemd/timesyncd.conf.d/appliance.conf /usr/local/share/ca-certificates/appliance.crt',
        ),
        trusted: await said(
          'openssl verify -CAfile /etc/ssl/certs/ca-certificates.crt /usr/local/share/ca-certificates/appliance.crt',
        ),
        network: await said('ip -4 -o address show scope global; ip route; cat /etc/systemd/network/05-*'),
        proxy: await said('systemctl show-environment; apt-config dump Acquire::http::Proxy'),
        closed: await said(
          "find / -xdev -type f -size +0 ! -perm -o=r ! -path '/var/lib/postgresql/*' -exec sha256sum {} +",
        ),
        secrets: await said(
          "find /etc/ssh /etc/ssl/private /etc/license-server/secrets /var/lib/systemd /etc/machine-id /var/lib/postgresql -maxdepth 4 -type f -size +0 \\( -name 'ssh_host_*_key' -o -name '*.key' -o -path '*/secrets/*' -o -name random-seed -o -name credential.secret -o -name machine-id -o -name pg_control \\) -exec sha256sum {} +",
        ),
      }
      seen.push(answers)
    })
    afterAll(async () => stop?.())

    test('it gets an address and answers GET /health', () => {
      expect(answers.address).toMatch(/^10\.77\.0\.\d+$/)
      expect(answers.health).toBe('200')
    })

    test('it has a machine-id and SSH host keys of its own', () => {
      expect(answers.machineId).toMatch(/^[0-9a-f]{32}$/)
      expect(answers.hostKey).toMatch(/^ssh-ed25519 /)
    })

    test('it is as the customer said on import; who said nothing gets the defaults', () => {
      if (hardware.firmware === 'bios') {
        expect(answers.settings).toMatch(/^licences\nlicences\n\[Time\]\nNTP=ntp\.example\.test\n/)
        expect(answers.settings).toContain(given.ca.trim())
        expect(answers.trusted).toMatch(/: OK$/)
        expect(answers.network).toContain('inet 10.77.0.5/24')
        expect(answers.network).toContain('default via 10.77.0.1')
        expect(answers.network).toContain('DNS=10.77.0.1\nDomains=example.test\n')
        expect(answers.proxy).toContain('http_proxy=http://proxy.example.test:3128')
        expect(answers.proxy).toContain('Acquire::http::Proxy "http://proxy.example.test:3128"')
      } else {
        expect(answers.settings).toBe('license-server\nlicense-server')
        expect(answers.network).not.toContain('10.77.0.5')
        expect(answers.proxy).not.toContain('proxy.example.test')
      }
    })

    test('no unit of it has failed', () => {
      expect(answers.failed).toBe('')
    })
  })

  test('two installations differ in machine-id and host keys', () => {
    expect(seen).toHaveLength(2)
    expect(seen[0]!.machineId).not.toBe(seen[1]!.machineId)
    expect(seen[0]!.hostKey).not.toBe(seen[1]!.hostKey)
  })

  test('nothing that identifies or authenticates is the same: keys, certificates, session secrets, seeds', () => {
    const same = (which: 'secrets' | 'closed') => {
      const [one, two] = seen.map((answers) =>
        answers[which].split('\n').map((line) => line.split('  ') as [string, string]),
      )
      expect(one!.length).toBeGreaterThan(5)
      return one!.filter(([digest]) => two!.some(([other]) => other === digest)).map(([, path]) => path)
    }
    expect(same('secrets')).toEqual([])
    // Whatever not everybody may read might be a secret; these are lists of accounts, settings and logs.
    expect(same('closed').filter((path) => !harmless.some((pattern) => pattern.test(path)))).toEqual([])
  })
}
