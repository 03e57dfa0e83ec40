import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { buildKey } from '../../actions/lib/guest/key.ts'
import type { MachineSpec } from '../../actions/lib/hypervisor/hypervisor.ts'
import { qemu } from '../../actions/lib/hypervisor/qemu/hypervisor.ts'
import { secrets } from '../../actions/lib/log/secrets.ts'
import type { MachineNetwork } from '../../actions/lib/network/network.ts'
import { readPackets } from '../../actions/lib/network/pcap.ts'
import { privateNetwork } from '../../actions/lib/network/private.ts'
import { browser } from '../../actions/vm-validate/browser.ts'
import type { CheckContext } from '../../actions/vm-validate/checks/check.ts'
import { disturbingChecks } from '../../actions/vm-validate/checks/disturbing.ts'
import { lookingChecks } from '../../actions/vm-validate/checks/inside.ts'
import { recordPackets } from '../../actions/vm-validate/packets.ts'
import { runStep } from '../../actions/vm-validate/step-run.ts'
import { lookAtService } from '../../actions/vm-validate/steps/looks.ts'
import { boot } from '../../actions/vm-validate/steps/machine.ts'
import { lookAtJournal, markJournal } from '../../actions/vm-validate/steps/plans.ts'
import { lookAtPort } from '../../actions/vm-validate/steps/port.ts'
import { answerPrompts } from '../../actions/vm-validate/steps/terminal.ts'
import { type TestMachine, testMachine } from '../../actions/vm-validate/test-machine.ts'
import { isInside, testsInside } from '../fixtures/inside.ts'
import { keptLog, serveEcho } from '../fixtures/machine-room.ts'
import { cannotMakeSmallDisk, smallDisk } from '../fixtures/small-disk.ts'

const lacking = await cannotMakeSmallDisk()

if (lacking !== undefined) test.skip(`skipped, because ${lacking}`, () => {})
else if (!isInside()) await testsInside(import.meta.url)
else
  describe('the machine of scenarios, in QEMU', () => {
    const log = keptLog()
    const { signal } = new AbortController()
    let folder: string
    let network: MachineNetwork
    let machine: TestMachine
    const thorough = process.env.APPLIANCE_TESTS === 'full' ? test : test.skip
    const said = async (command: string) => {
      if (process.env.APPLIANCE_TEST_LOUD)
        process.stderr.write(`> ${command}
`)
      return (await machine.guest.run(command, { signal, timeout: 60_000 })).stdout.trim()
    }

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'appliance-scenario-'))
      network = await privateNetwork({ serve: serveEcho, log })
      const spec: MachineSpec = {
        name: 'validate',
        disk: { path: await smallDisk(), format: 'qcow2' },
        throwAway: true,
        overlay: join(folder, 'overlay.qcow2'),
        cpus: 1,
        memory: 512 * 2 ** 20,
        firmware: 'bios',
        nic: 'virtio',
        controller: 'virtio',
        readOnlyDisks: [],
        login: { user: 'root', key: await buildKey(folder), credential: true, besideOthers: true },
        evidence: join(folder, 'evidence'),
        accel: 'auto',
      }
      machine = testMachine(qemu({ network: () => network, log, workDirectory: folder }), spec, log)
      await machine.start(signal)
      await machine.keep(signal)
    })
    afterAll(async () => {
      await machine?.[Symbol.asyncDispose]()
      await network?.[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    })

    test('answers prompts on a real terminal, with secrets in no command line', async () => {
      const around = {
        ...{ guest: machine.guest, machine: machine.machine!, scratch: folder, project: folder },
        ...{ browser: browser(), journal: undefined, installation: 0, log, limit: 60_000, signal },
      }
      const command =
        'tty; printf "Name: "; read name; stty -echo; printf "Word: "; read word; stty echo; echo; echo "<$name|$word|$P>"; ps -e -o args= | grep -c "[s]ecret-1"'
      const outcome = await answerPrompts(
        { command, stdout: '^<box\\|hush\\|secret-1>$', status: 1, env: { P: 'secret-1' } },
        [
          { expect: 'Name: ', answer: 'box' },
          { expect: 'Word:', answer: 'hush' },
        ],
        around,
      )
      expect(outcome).toMatchObject({ met: true, finding: 'exit status 1' })
      expect(outcome.value).toMatch(/^\/dev\/pts\/\d/)
    })

    test('keeps of endless output its end, takes what is no text, and ends what goes on for ever', async () => {
      const flood = "head -c 40000000 /dev/zero | tr '\\0' x; printf '\\377\\376::error::\\033[2Jend'"
      const { stdout } = await machine.guest.run(flood, { signal, timeout: 300_000 })
      expect(stdout.length).toBeLessThan(33_600_000)
      expect(stdout.endsWith('\u{FFFD}\u{FFFD}::error::\u001b[2Jend')).toBe(true)
      const endless = machine.guest.run('yes', { signal, timeout: 2_000, allowFailure: true })
      await expect(endless).rejects.toMatchObject({ code: 'timeout' })
      expect(await said('for one in /proc/[0-9]*/comm; do cat $one; done | grep -cx yes; true')).toBe('0')
    })

    test('judges UDP ports by what comes back', async () => {
      const perl =
        'use IO::Socket::INET; $s = IO::Socket::INET->new(Proto=>"udp", LocalPort=>5353) or die; while ($p = $s->recv($m, 99)) { $s->send("got $m") }'
      machine.touch()
      await machine.guest.run(`setsid -f perl -e '${perl}' </dev/null >/dev/null 2>&1`, { signal })
      const around = { guest: machine.guest, machine: machine.machine!, signal } as never
      for (let tries = 0; tries < 50 && !(await said('ss -H -lun')).includes(':5353'); tries++);
      const open = await lookAtPort(
        { port: 5353, protocol: 'udp', send: 'ping', answer: '^got ping$' },
        around,
      )
      expect(open).toMatchObject({ state: 'open', finding: 'port 5353/udp answers "got ping"' })
      const closed = await lookAtPort({ port: 5354, protocol: 'udp' }, around)
      expect(closed.state).toBe('closed')
      expect(closed.finding).toMatch(/^port 5354\/udp refuses; the guest offers .*5353\/udp/)
    })

    test('is looked at as it is: what starts by itself, what its journal says whatever its clock says', async () => {
      machine.touch()
      const journal = await markJournal(machine.guest, 'end', signal)
      const around = {
        ...{ guest: machine.guest, machine: machine.machine!, scratch: folder, project: folder },
        ...{ browser: browser(), journal, installation: 0, log, limit: 60_000, signal },
      }
      const service = async (unit: string, enabled: boolean) =>
        (await lookAtService({ unit, enabled }, around)).met
      expect(await service('systemd-journald', true)).toBe(true)
      expect(await service('systemd-journald', false)).toBe(false)
      await said("date -s '10 years ago' >/dev/null; logger -p err 'it broke'; journalctl --sync")
      const wrong = await lookAtJournal({}, around)
      expect(wrong.finding).toMatch(/^the journal has .*it broke/)
      const later = await markJournal(machine.guest, 'end', signal)
      expect(await lookAtJournal({}, { ...around, journal: later })).toMatchObject({ met: true })
      const sinceBoot = await markJournal(machine.guest, 'boot', signal)
      const booted = await lookAtJournal({ has: 'Linux version' }, { ...around, journal: sinceBoot })
      expect(booted.finding).toMatch(/Linux version/)
      await machine.rewind(signal)
    })

    test('is as far away as its network is slow', async () => {
      const { host, port } = await machine.machine!.reach(22)
      const quickest = async () => {
        const times: number[] = []
        for (let n = 0; n < 5; n++) {
          const began = performance.now()
          const socket = connect({ host, port })
          await once(socket, 'connect')
          times.push(performance.now() - began)
          socket.destroy()
        }
        return Math.min(...times)
      }
      const near = await quickest()
      machine.touch()
      await machine.machine!.cable!.delay(800)
      // What is asked and what is answered wait for one moment each, and those are so far apart.
      expect(await quickest()).toBeGreaterThan(near + 500)
      await machine.machine!.cable!.delay(0)
    })

    test('is found wanting by each built-in check that looks', async () => {
      machine.touch()
      await said(`echo 'toor:x:0:0::/root:/bin/sh' >>/etc/passwd; echo 'toor::1::::::' >>/etc/shadow
echo more >/var/log/grows.log; systemd-run -q --unit=broken sh -c 'echo it is broken; exit 1'; sleep 1`)
      const budget = { disk: 1, memory: 1, answer: 1 }
      const faults = async (name: string, listens?: string[]) => {
        const check = [...lookingChecks, ...disturbingChecks].find((one) => one.name === name)!
        const spec = {
          ...{ name: 'box', basebox: {}, firstBoot: [], pack: {} },
          validate: { budget, listens, without: {} },
        }
        const { faults } = await check.look({
          ...{
            course: { test: machine },
            spec,
            sealed: false,
            publicKey: '',
            disk: { path: '', format: '' },
          },
          signal,
        } as unknown as CheckContext)
        return faults.join('; ')
      }
      expect(await faults('accounts')).toContain(
        'toor has uid 0: it is root by another name; toor can log in',
      )
      expect(await faults('log-rotation')).toContain('/var/log/grows.log grows, and nothing rotates it')
      expect(await faults('disk-use')).toMatch(/are used, the budget is 1 B/)
      expect(await faults('memory-use')).toMatch(/are used, the budget is 1 B/)
      expect(await faults('first-answer')).toMatch(/^booted, first boot and all, within .*; the budget is/)
      expect(await faults('failed-units')).toContain('broken.service has failed: it is broken')
      expect(await faults('ports', [])).toBe(
        'something listens on 22/tcp, which is not declared (validate.listens)',
      )
      await machine.rewind(signal)
      expect(await faults('failed-units')).toBe('')
      expect(await faults('accounts')).not.toContain('toor')
    })

    test('is reached by a serial line while its network cable is unplugged', async () => {
      await machine.cable(false, signal)
      expect(await said('cat /sys/class/net/e*/carrier')).toBe('0')
      const failing = await machine.guest.run('echo out; echo wrong >&2; exit 3', {
        signal,
        allowFailure: true,
      })
      expect(failing).toEqual({ status: 3, stdout: 'out\n', stderr: 'wrong\n' })
      const long = 'x'.repeat(9000)
      expect(await said(`printf %s "$WORD" | wc -c; : ${long}`)).toBe('0')
      await machine.cable(true, signal)
      expect(await said('cat /sys/class/net/e*/carrier')).toBe('1')
      // Once more: the shell of before is in nobody's way.
      await machine.cable(false, signal)
      for (const word of ['one', 'two', 'three']) expect(await said(`echo ${word}`)).toBe(word)
      // What is remembered meanwhile needs no network either.
      await machine.remember('unplugged', signal)
      expect(await said('echo four')).toBe('four')
      await expect(machine.reboot(signal)).rejects.toMatchObject({ code: 'input' })
      await machine.cable(true, signal)
    })

    test('comes back running, with its clock right, which the shell on its serial line has set', async () => {
      machine.touch()
      await machine.guest.run('date -s "2001-01-01"; touch /var/since', { signal })
      await machine.rewind(signal)
      expect(await said('ls /var/since 2>&1 | tail -n 1')).toMatch(/No such file/)
      expect(Math.abs(Number(await said('date +%s')) - Date.now() / 1000)).toBeLessThan(10)
      expect(await said('readlink "/proc/$(cat /run/appliance-line.pid)/fd/0"')).toBe('/dev/ttyS1')
    })

    test('loses in a power cut what was not on the disk, keeps what was, and boots', async () => {
      machine.touch()
      await machine.guest.run('echo kept >/var/kept; sync; echo lost >/var/lost', { signal })
      await machine.off('cut', signal)
      expect(machine.running).toBe(false)
      await machine.on(signal)
      expect(await said('cat /var/kept; ls /var/lost 2>&1 | tail -n 1')).toMatch(/^kept\n.*No such file/)
    })

    test('shut down, goes on with other hardware and a further disk, then with its own again', async () => {
      // Where the disk has keys, ours comes beside them.
      const owner = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOwner owner'
      await said(`echo changed >/var/changed; printf '%s' '${owner}' >/root/.ssh/authorized_keys`)
      const disks = new Map<string, string>()
      const room = { test: machine, project: folder, scratch: folder, disks, left: {}, signal }
      await boot(
        {
          nic: 'vmxnet3', // the small disk's kernel has no driver of Intel's
          mac: '52:54:00:12:34:56',
          nics: 2,
          enlarge: 2 ** 33,
          memory: 640 * 2 ** 20,
          clock: '2031-05-01T00:00:00',
          disks: [{ disk: 'data', size: 2 ** 26 }],
        },
        room,
      )
      expect(await said('cat /var/changed; date +%Y; head -n 1 /root/.ssh/authorized_keys')).toBe(
        `changed\n2031\n${owner}`,
      )
      const cards = (await said('cat /sys/class/net/e*/address')).split('\n')
      expect([cards.length, cards.includes('52:54:00:12:34:56')]).toEqual([2, true])
      expect(await said('blockdev --getsize64 /dev/vda')).toBe(String(2 ** 33))
      expect(await said('blockdev --getsize64 /dev/disk/by-id/virtio-data')).toBe(String(2 ** 26))
    })

    thorough('must not boot with too little memory, does not, and goes on with enough of it', async () => {
      const trial = {
        ...{ test: machine, scratch: folder, project: folder, values: new Map(), secrets: secrets() },
        ...{ browser: browser(), disks: new Map(), left: {}, journals: new Map(), log, signal },
      }
      machine.touch()
      await machine.off('cut', signal)
      const few = { kind: 'boot', memory: 32 * 2 ** 20, timeout: 45_000, not: true } as const
      const { result } = await runStep(few, trial)
      expect([result.status, result.finding]).toEqual([
        'passed',
        expect.stringMatching(/^not so, as it should be: not: boot memory .* took longer than 45 s$/),
      ])
      expect(machine.running).toBe(false)
      const enough = await runStep({ kind: 'boot', memory: 512 * 2 ** 20 }, trial)
      expect(enough.result.finding).toMatch(/^another machine runs/)
      expect(machine.installation).toBe(0)
      const boots = await runStep({ kind: 'boot', not: true }, trial)
      expect(boots.result).toMatchObject({ status: 'failed' })
    })

    test('comes back to the pristine running machine, whatever became of it, and quickly', async () => {
      const before = machine.rollbacks.length
      await machine.rewind(signal)
      expect(await said('ls /var/kept /var/changed 2>&1 | grep -c "No such file"')).toBe('2')
      expect(Number(await said('date +%s'))).toBeGreaterThan(Date.now() / 1000 - 60)
      machine.touch()
      await machine.rewind(signal)
      expect(machine.rollbacks).toHaveLength(before + 2)
    })

    test('restarts by itself and is waited for', async () => {
      const before = await said('cat /proc/sys/kernel/random/boot_id')
      machine.touch()
      await machine.reboot(signal)
      expect(await said('cat /proc/sys/kernel/random/boot_id')).not.toBe(before)
    })

    test('a second machine writes over nothing that the first one said, and both are evidence', async () => {
      const logs = () => machine.evidence.filter((path) => path.endsWith('-serial.log'))
      const heard = async () => Promise.all(logs().map((path) => readFile(path, 'latin1')))
      await machine.guest.run('echo the-first-machine >/dev/ttyS0', { signal })
      const room = { test: machine, project: folder, scratch: folder, disks: new Map(), left: {}, signal }
      await using packets = recordPackets(machine, folder)
      await packets.follow()
      await said('true')
      await boot({ disk: await smallDisk() }, room)
      await packets.follow()
      await machine.guest.run('echo the-second-machine >/dev/ttyS0', { signal })
      await boot({ disk: await smallDisk() }, room)
      await machine.guest.run('echo the-third-machine >/dev/ttyS0', { signal })
      const words = (await heard()).map((text) => /the-(\w+)-machine/.exec(text)?.[1])
      expect(new Set(words)).toEqual(new Set(['first', 'second', 'third']))
      await machine.rewind(signal)
      expect(logs()).toHaveLength(1)
      await packets[Symbol.asyncDispose]()
      const recorded = await Promise.all(packets.files.map((path) => readFile(path)))
      expect(recorded.map((bytes) => readPackets(bytes).packets.length > 5)).toEqual([true, true])
    })

    test('of endless traffic the beginning is recorded', async () => {
      await using packets = recordPackets(machine, folder, 100_000)
      await packets.follow()
      for (let n = 0; packets.remarks.length === 0; n++) {
        expect(n).toBeLessThan(60)
        await machine.guest.run('head -c 500000 /dev/urandom', { signal })
      }
      expect(packets.remarks).toEqual(['packets.pcap ends where it had reached 100 kB'])
      const { size } = await stat(packets.files[0]!)
      await machine.guest.run('head -c 500000 /dev/urandom', { signal })
      expect((await stat(packets.files[0]!)).size).toBe(size)
    })

    thorough('that does not start clean after a restart or a power cut is found out', async () => {
      machine.touch()
      await said(`printf '[Service]\\nExecStart=/bin/false\\n[Install]\\nWantedBy=multi-user.target\\n' >/etc/systemd/system/later.service
systemctl -q enable later.service; sync`)
      for (const name of ['reboot', 'power-cut'] as const) {
        const check = disturbingChecks.find((one) => one.name === name)!
        const { faults } = await check.look({
          ...{ course: { test: machine }, spec: { validate: {} }, signal },
        } as unknown as CheckContext)
        expect([name, faults.join()]).toEqual([name, expect.stringContaining('later.service has failed')])
      }
      await machine.rewind(signal)
    })

    thorough(
      'however much the guest says on its serial console, its log stays small, and that is said',
      async () => {
        await machine.guest.run("yes 'so much to say, so little room' | head -n 400000 >/dev/ttyS0", {
          signal,
          timeout: 600_000,
        })
        const log = machine.evidence.find((path) => path.endsWith('-serial.log'))!
        // QEMU hands the last of it over a moment after the guest is done.
        const end = /so little room\s*$/
        let text = ''
        for (let waited = 0; waited < 60 && !end.test(text); waited++) {
          await pause(500)
          text = await readFile(log, 'latin1')
        }
        expect(text).toMatch(end)
        expect(text.length).toBeLessThan(10_000_000)
        expect(text).toMatch(/Linux version[\s\S]*\n\[[\d.]+ MB left out here\]\n/)
        expect(machine.remarks.join()).toMatch(/serial console of validate said so much that [\d.]+ MB of it/)
      },
    )

    test('a cancelled run waits for no connection that a deaf guest never makes', async () => {
      await machine.remember('deaf', signal)
      await machine.guest.run('systemctl stop ssh', { signal })
      await machine.machine!.snapshot('deaf')
      await machine.goBack('deaf', signal)
      const cancelled = new AbortController()
      const asked = machine.guest.run('true', { signal: cancelled.signal })
      asked.catch(() => {})
      const began = performance.now()
      cancelled.abort()
      await machine[Symbol.asyncDispose]()
      expect(performance.now() - began).toBeLessThan(20_000)
      await expect(asked).rejects.toBeDefined()
    })
  })
