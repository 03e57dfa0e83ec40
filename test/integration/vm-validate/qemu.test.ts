import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import type { ApplianceError } from '../../../actions/lib/errors/error.ts'
import { sha256, sha256File } from '../../../actions/lib/files/digest.ts'
import { qemu } from '../../../actions/lib/hypervisor/qemu/hypervisor.ts'
import type { MachineNetwork } from '../../../actions/lib/network/network.ts'
import { readPackets } from '../../../actions/lib/network/pcap.ts'
import { privateNetwork } from '../../../actions/lib/network/private.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { isInside, testsInside } from '../../fixtures/inside.ts'
import { serveEcho } from '../../fixtures/machine-room.ts'
import { cannotMakeSmallDisk, smallDisk } from '../../fixtures/small-disk.ts'
import { Lines, projectWith, validate } from './project.ts'

/** A web server of three lines that remembers what was posted, in the guest's own Perl. */
const server = `use IO::Socket::INET; $s = IO::Socket::INET->new(LocalPort=>80, Listen=>5, ReuseAddr=>1) or die;
while ($c = $s->accept) { $r = <$c>; while (<$c>) { last if /^\\r/; $n = $1 if /^Content-Length: (\\d+)/i } read $c, $kept, $n if $r =~ /^POST/;
print $c "HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\n\\r\\n{\\"kept\\":\\"" . length($kept) . "\\"}"; close $c }
`

const scenarios = {
  '1-six-steps': `name: What was posted is gone after a rollback
tags: [smoke]
steps:
  - boot
  - port: { port: 80, state: closed }
  - upload: { from: server.pl, to: /opt/server.pl }
  - run: systemd-run -q perl /opt/server.pl
  - port: { port: 80, within: 30 s }
  - post: { path: /, json: { key: ABCD }, expect: { json: { kept: "14" } } }
  - get: { path: /, expect: { status: 200, json: { kept: "14" } } }
  - run: { command: "date +%s", stdout: "^[0-9]+$" }
    save: before
  - download: { from: /opt/server.pl, to: kept/server.pl }
  - rollback
  - port: 80
    not: true
  - run: test ! -e /opt/server.pl && test $(( $(date +%s) - {{before}} )) -lt 300
  - upload: { from: kept/server.pl, to: /root/server.pl }
  - run: { command: "id -un; cat", stdin: hello, stdout: "^nobody\\nhello$" }
    as: nobody
`,
  '2-claims': `name: An open port is claimed closed
steps:
  - port: { port: 22, state: closed }
`,
  '3-fails': `name: A command fails
steps:
  - run: logger said-to-the-journal; getent hosts deb.example.test || true; ls /nowhere
`,
}

const ovf = (
  disk: string,
  mebibytes: number,
) => `<Envelope><References><File href="${disk}" id="f"/></References>
<DiskSection><Disk capacity="${mebibytes}" capacityAllocationUnits="byte * 2^20" diskId="d" fileRef="f"/>
<Disk capacity="64" capacityAllocationUnits="byte * 2^20" diskId="data"/></DiskSection>
<VirtualSystem id="box"><VirtualHardwareSection>
<Item><InstanceID>1</InstanceID><ResourceType>3</ResourceType><VirtualQuantity>2</VirtualQuantity></Item>
<Item><AllocationUnits>byte * 2^20</AllocationUnits><InstanceID>2</InstanceID><ResourceType>4</ResourceType><VirtualQuantity>600</VirtualQuantity></Item>
<Item><InstanceID>3</InstanceID><ResourceSubType>VirtioSCSI</ResourceSubType><ResourceType>20</ResourceType></Item>
<Item><HostResource>ovf:/disk/d</HostResource><InstanceID>4</InstanceID><Parent>3</Parent><ResourceType>17</ResourceType></Item>
<Item><HostResource>ovf:/disk/data</HostResource><InstanceID>6</InstanceID><Parent>3</Parent><ResourceType>17</ResourceType></Item>
<Item><InstanceID>5</InstanceID><ResourceSubType>VirtioNet</ResourceSubType><ResourceType>10</ResourceType></Item>
<Item><InstanceID>7</InstanceID><ResourceSubType>VirtioNet</ResourceSubType><ResourceType>10</ResourceType></Item>
</VirtualHardwareSection></VirtualSystem></Envelope>`

const described = `name: It has all that its descriptor says
tags: [smoke]
steps:
  - run: { command: ls -d /sys/class/net/e* | wc -l, stdout: "^2$" }
  - run: { command: blockdev --getsize64 /dev/vdb, stdout: "^67108864$" }
`

const moves = `name: Data moves on
tags: [smoke]
steps:
  - boot: { ova: box.ova }
  - run: echo kept >/dev/vdb
  - power_off
  - rollback
  - run: { command: head -c 4 /dev/vdb, stdout: kept }
    not: true
  - boot: { data_disks: moved }
  - run: { command: head -c 4 /dev/vdb, stdout: ^kept$ }
`

const otherHardware = `name: Other hardware
tags: [smoke]
steps:
  - run: cat /sys/class/net/e*/address
    save: before
  - memory: { size: 480 MiB }
  - run: { command: "awk '/^MemTotal/ { print $2 }' /proc/meminfo", stdout: "^4[0-9]{5}$" }
  - network: { mac: "52:54:00:12:34:77" }
  - run: { command: cat /sys/class/net/e*/address, stdout: "52:54:00:12:34:77" }
  - boot: { ova: box.ova }
  - run: cat /sys/class/net/e*/address
  - boot: { cpus: 2 }
  - run: { command: nproc, stdout: "^2$" }
`

/** The small disk in an OVA of two disks, the second one empty, and two network cards. */
async function packed(parts: string): Promise<string> {
  const vmdk = join(parts, 'box.vmdk')
  await run('qemu-img', ['convert', '-O', 'vmdk', '-o', 'subformat=streamOptimized', await smallDisk(), vmdk])
  const { stdout } = await run('qemu-img', ['info', '--output=json', vmdk])
  const text = ovf('box.vmdk', JSON.parse(stdout)['virtual-size'] / 2 ** 20)
  await writeFile(join(parts, 'box.ovf'), text)
  await writeFile(
    join(parts, 'box.mf'),
    `SHA256(box.ovf)= ${sha256(text)}\nSHA256(box.vmdk)= ${await sha256File(vmdk)}\n`,
  )
  const ova = join(parts, 'box.ova')
  await run('tar', ['--format=ustar', '-cf', ova, 'box.ovf', 'box.mf', 'box.vmdk'], { cwd: parts })
  return ova
}

/** Of a packet that opens a TCP connection over IPv4, or answers that. @see RFC 791 3.1, RFC 9293 3.1 */
function handshake(packet: Buffer) {
  if (packet.readUInt16BE(12) !== 0x0800 || packet[14 + 9] !== 6) return []
  const ip = packet.subarray(14)
  const tcp = ip.subarray((ip[0]! & 15) * 4)
  const flags = { 2: 'syn', 18: 'syn-ack' }[tcp[13]! & 0x17]
  if (flags === undefined) return []
  const addresses = [ip.subarray(12, 16).join('.'), ip.subarray(16, 20).join('.')]
  return [{ flags, ports: [tcp.readUInt16BE(0), tcp.readUInt16BE(2)], addresses }]
}

jest.setTimeout(600_000)

const why = await cannotMakeSmallDisk()
if (why) test.skip(`skipped, because ${why}`, () => {})
else if (!isInside()) await testsInside(import.meta.url)
else
  describe('vm-validate on QEMU in the private network', () => {
    let folder: string
    let network: MachineNetwork
    beforeAll(async () => {
      folder = await projectWith('', scenarios)
      await writeFile(join(folder, 'server.pl'), server)
      network = await privateNetwork({ serve: serveEcho, log: new Lines() })
    })
    afterAll(async () => {
      await network?.[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    })

    const verdict = async (path: string) =>
      JSON.parse(await readFile(join(folder, path, 'verdict.json'), 'utf8'))

    test('judges a disk: steps, rollback, a closed port, a false claim, evidence, escapes', async () => {
      const log = new Lines()
      const disk = await smallDisk()
      const before = await sha256File(disk)
      const error = (await validate(folder, qemu, { inputs: { disk }, log, network }).catch(
        (thrown) => thrown,
      )) as ApplianceError
      expect(error).toMatchObject({ code: 'check-failed' })
      const found = await verdict('build/vm-validate')
      const [machine, checks, steps, claims, fails] = found.results
      expect(machine).toMatchObject({ status: 'passed' })
      expect(checks).toMatchObject({ name: 'What every appliance must be', status: 'passed' })
      expect(steps.steps.filter(({ status }: { status: string }) => status !== 'passed')).toEqual([])
      expect(steps.steps[1].finding).toMatch(/^port 80\/tcp refuses connections; the guest offers 22\/tcp$/)
      expect(claims.steps[0].finding).toBe('expected port 22 closed, got: port 22/tcp is open')
      expect(fails.steps[0].finding).toMatch(/^expected exit status 0, got 2: ls: cannot access '\/nowhere'/)
      expect(found.remarks.filter((remark: string) => /anew/.test(remark))).toEqual([])
      expect(found.escapes).toContainEqual(expect.objectContaining({ to: 'deb.example.test', how: 'dns' }))

      expect(error.message.split('\n')).toHaveLength(2)
      const file = (name: RegExp) =>
        error.evidence.find((path) => path.includes('a-command-fails') && name.test(path))!
      expect((await readFile(file(/screen\.png$/))).subarray(1, 4).toString()).toBe('PNG')
      expect(await readFile(file(/journal\.txt$/), 'utf8')).toContain('said-to-the-journal')
      expect(await readFile(file(/serial\.log$/), 'utf8')).toMatch(/Linux version|Debian/)
      // The port of the false claim: asked for from our side, and answered by the guest.
      const claim = error.evidence.find((path) => /an-open-port.*\/packets\.pcap$/.test(path))!
      const { packets } = readPackets(await readFile(claim))
      const shaken = packets.flatMap(handshake).filter(({ ports }) => ports.includes(22))
      const opened = shaken.find(({ flags, ports }) => flags === 'syn' && ports[1] === 22)!
      expect(opened).toBeDefined()
      expect(shaken).toContainEqual({
        flags: 'syn-ack',
        ports: opened.ports.toReversed(),
        addresses: opened.addresses.toReversed(),
      })
      expect(await sha256File(disk)).toBe(before)
    })

    test('boots an OVA as imported, and finds out that it was not sealed', async () => {
      const ova = await packed(await mkdtemp(join(folder, 'parts-')))
      await writeFile(join(folder, 'scenarios/4-hardware.yml'), described)
      const log = new Lines()
      const inputs = { disk: undefined, ova }
      await expect(validate(folder, qemu, { inputs, log, network })).rejects.toMatchObject({
        code: 'check-failed',
      })
      const found = await verdict('build/vm-validate/ova')
      expect(found.subject).toMatchObject({ kind: 'ova', name: 'box.ova' })
      const [machine, hygiene, steps, hardware] = found.results
      expect(machine.status).toBe('passed')
      // Nobody sealed this one: its host keys came with the packages.
      const failed = hygiene.steps.filter(({ status }: { status: string }) => status === 'failed')
      expect(failed[0].title).toMatch(/^identity: /)
      expect(failed[0].finding).toContain('not so: the SSH host keys were made at this boot')
      expect(hygiene.steps.some(({ status }: { status: string }) => status === 'passed')).toBe(true)
      expect(steps.steps.filter(({ status }: { status: string }) => status !== 'passed')).toEqual([])
      expect(hardware).toMatchObject({ name: 'It has all that its descriptor says', status: 'passed' })
      expect(found.results).toHaveLength(4)
      expect(found.remarks.filter((remark: string) => /anew/.test(remark))).toEqual([])
    })

    const thorough = process.env.APPLIANCE_TESTS === 'full' ? test : test.skip

    thorough(
      'tries other hardware and moves data to another release, on machines of the matrix, too',
      async () => {
        const own = await projectWith(
          '  matrix: { memory: [520 MiB], scenarios: [Data moves on, Other hardware] }\n',
          {
            '1-moves': moves,
            '2-hardware': otherHardware,
          },
        )
        try {
          const ova = await packed(own)
          const inputs = { disk: undefined, ova }
          await validate(own, qemu, { inputs, network }).catch((thrown) => thrown)
          const found = JSON.parse(await readFile(join(own, 'build/vm-validate/ova/verdict.json'), 'utf8'))
          const said = found.results
            .slice(2)
            .map(({ name, status, file, steps }: Record<string, string>) => [
              name,
              status,
              ...(status === 'passed' ? [] : [file, steps]),
            ])
          expect(said).toEqual([
            ['Data moves on', 'passed'],
            ['Other hardware', 'passed'],
            ['Boots with 520 MiB', 'passed'],
            ['Data moves on (520 MiB)', 'passed'],
            ['Other hardware (520 MiB)', 'passed'],
          ])
        } finally {
          await rm(own, { recursive: true })
        }
      },
      1_800_000,
    )
  })
