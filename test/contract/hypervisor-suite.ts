import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inflateSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { treeDigest } from '../../actions/lib/files/tree.ts'
import type { Guest } from '../../actions/lib/guest/guest.ts'
import { buildKey } from '../../actions/lib/guest/key.ts'
import type { Hypervisor, Machine, MachineSpec } from '../../actions/lib/hypervisor/hypervisor.ts'
import type { Log } from '../../actions/lib/log/log.ts'
import { grave } from '../../actions/lib/network/attempts.ts'
import type { MachineNetwork } from '../../actions/lib/network/network.ts'
import { keptLog, processesWith } from '../fixtures/machine-room.ts'
import { smallDisk } from '../fixtures/small-disk.ts'

/** A driver and a network to be held to the contract. */
export interface Candidate {
  name: string
  openNetwork: (log: Log) => Promise<MachineNetwork>
  driver: (room: { network: () => MachineNetwork; log: Log; workDirectory: string }) => Hypervisor
  machine: Pick<MachineSpec, 'firmware' | 'nic' | 'controller'>
}

/** What every driver must do. One machine is booted and goes through all of it. */
export function hypervisorContract({ name, openNetwork, driver, machine: model }: Candidate): void {
  jest.setTimeout(300_000)
  describe(name, () => {
    const signal = new AbortController().signal
    const log = keptLog()
    /** In the names of processes; only this run's. */
    const machineName = `contract-${process.pid}`
    let folder: string
    let network: MachineNetwork
    let hypervisor: Hypervisor
    let spec: MachineSpec
    let machine: Machine
    let guest: Guest

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'hypervisor-contract-'))
      await mkdir(join(folder, 'work'))
      await writeFile(join(folder, 'tools.img'), 'what is on the tools disk'.padEnd(4096))
      network = await openNetwork(log)
      hypervisor = driver({ network: () => network, log, workDirectory: join(folder, 'work') })
      spec = {
        name: machineName,
        disk: { path: await smallDisk(), format: 'qcow2' },
        throwAway: true,
        cpus: 2,
        memory: 512 << 20,
        ...model,
        readOnlyDisks: [{ path: join(folder, 'tools.img'), serial: 'tools' }],
        login: { user: 'root', key: await buildKey(folder), credential: true },
        evidence: join(folder, 'evidence'),
        accel: 'auto',
      }
      machine = await hypervisor.boot(spec, signal)
      guest = await machine.guest(signal, 180_000)
    })
    afterAll(async () => {
      await machine?.[Symbol.asyncDispose]()
      await network?.[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    })

    test('can work here, and says how it does', async () => {
      expect(await hypervisor.preflight()).toEqual([])
      expect(log.lines.join('\n')).toMatch(/accel: (kvm|tcg).*because/)
    })

    test('runs a command and gives its status and both outputs', async () => {
      const result = await guest.run('echo out; echo err >&2; exit 7', { allowFailure: true })
      expect(result).toEqual({ status: 7, stdout: 'out\n', stderr: 'err\n' })
    })

    test("a command's own status 255 is not taken for a lost connection", async () => {
      expect((await guest.run('exit 255', { allowFailure: true })).status).toBe(255)
    })

    test('a failing command is an error that ends with its words', async () => {
      await expect(guest.run('echo one; echo disk is full >&2; exit 3')).rejects.toMatchObject({
        code: 'guest-failed',
        message: expect.stringMatching(/^in the guest, `echo one;.*` failed \(3\): disk is full$/),
      })
    })

    test('input, user and environment arrive, and secrets are in no argument list', async () => {
      const { stdout } = await guest.run(
        'cat; echo; id -un; echo "$HOME $SECRET"; cat /proc/[0-9]*/cmdline | tr "\\0" "\\n"',
        {
          as: 'worker',
          input: 'some input',
          env: { SECRET: "it's hidden" },
        },
      )
      const [input, user, home, ...processes] = stdout.split('\n')
      expect([input, user, home]).toEqual(['some input', 'worker', "/home/worker it's hidden"])
      expect(processes).toContain('/sbin/init')
      expect(processes.join('\n')).not.toContain('hidden')
    })

    test('output is heard while the command runs, and is whole when it is long', async () => {
      const heard: [string, number][] = []
      const began = performance.now()
      await guest.run('echo first; sleep 2; echo second', {
        onOutput: (text) => heard.push([text, performance.now() - began]),
      })
      expect(heard.map(([text]) => text)).toEqual(['first\n', 'second\n'])
      expect(heard[1]![1] - heard[0]![1]).toBeGreaterThan(1000)

      const { stdout } = await guest.run('seq 1 400000')
      expect(stdout.split('\n')).toHaveLength(400_001)
    })

    test('a command that takes too long is stopped, in the guest too', async () => {
      await expect(guest.run('sleep 4711', { timeout: 1500 })).rejects.toMatchObject({
        code: 'timeout',
        message: 'in the guest, `sleep 4711` took longer than 1.5 s',
      })
      const gone =
        'for i in 1 2 3 4 5 6 7 8 9; do pgrep -x sleep >/dev/null || exit 0; sleep 0.3; done; exit 1'
      await guest.run(gone.replace('sleep 0.3', 'read -t 1 x </dev/zero || :'), {
        title: 'looking for sleep',
      })
    })

    test('a folder goes in and comes back the same: modes, links, odd names', async () => {
      const tree = join(folder, 'tree')
      await mkdir(join(tree, 'sub', 'empty'), { recursive: true })
      await writeFile(join(tree, 'plain'), 'text')
      await writeFile(join(tree, "it's odd, & $HOME"), '')
      await writeFile(join(tree, 'sub', 'program'), '#!/bin/sh\n')
      await chmod(join(tree, 'sub', 'program'), 0o750)
      await symlink('../plain', join(tree, 'sub', 'link'))
      await symlink('/nowhere', join(tree, 'dangling'))
      await guest.upload(tree, '/srv/deep/er/tree', { owner: 'worker', group: 'worker' })
      const { stdout } = await guest.run(
        'cd /srv/deep/er/tree && stat -c "%U:%G" . plain && stat -c %U ../..',
      )
      expect(stdout).toBe('worker:worker\nworker:worker\nroot\n')
      await guest.download('/srv/deep/er/tree', join(folder, 'back', 'tree'))
      expect(await treeDigest(join(folder, 'back', 'tree'))).toBe(await treeDigest(tree))
      expect(await readlink(join(folder, 'back', 'tree', 'sub', 'link'))).toBe('../plain')
    })

    test('a file gets the name, mode and owner asked for, and replaces what was there', async () => {
      await writeFile(join(folder, 'file'), 'first')
      await guest.upload(join(folder, 'file'), '/etc/app/secret.conf', {
        mode: 0o640,
        owner: 'root',
        group: 'worker',
      })
      await writeFile(join(folder, 'file'), 'second')
      await guest.upload(join(folder, 'file'), '/etc/app/secret.conf', {
        mode: 0o640,
        owner: 'root',
        group: 'worker',
      })
      const { stdout } = await guest.run(
        'cd /etc/app && ls -A && stat -c "%a %U:%G" secret.conf && cat secret.conf',
      )
      expect(stdout).toBe('secret.conf\n640 root:worker\nsecond')
      await guest.download('/etc/app/secret.conf', join(folder, 'copy'))
      expect(await readFile(join(folder, 'copy'), 'utf8')).toBe('second')
      expect((await lstat(join(folder, 'copy'))).mode & 0o777).toBe(0o640)
    })

    test('a folder laid over one that is there leaves that one its owner', async () => {
      await guest.run('mkdir -p /srv/kept && chown worker /srv/kept && chmod 711 /srv/kept')
      await mkdir(join(folder, 'over'))
      await writeFile(join(folder, 'over', 'new'), '')
      await guest.upload(join(folder, 'over'), '/srv/kept')
      expect((await guest.run('stat -c "%U %a" /srv/kept; stat -c %U /srv/kept/new')).stdout).toBe(
        'worker 711\nroot\n',
      )
    })

    test('of a folder only what is named goes in, however late tar reads the names', async () => {
      const some = join(folder, 'some')
      await mkdir(join(some, 'sub'), { recursive: true })
      for (const name of ['a', 'sub/b', 'c']) await writeFile(join(some, name), name)
      await writeFile(join(some, 'sub', 'tar'), '#!/bin/sh\nsleep 1\nexec /usr/bin/tar "$@"\n', {
        mode: 0o755,
      })
      const { PATH } = process.env
      process.env.PATH = `${join(some, 'sub')}:${PATH}`
      try {
        await guest.upload(some, '/srv/some', { only: ['sub', 'sub/b', 'c'] })
      } finally {
        process.env.PATH = PATH
      }
      expect((await guest.run('cd /srv/some && find . -type f | sort && cat sub/b')).stdout).toBe(
        './c\n./sub/b\nsub/b',
      )
    })

    test('what cannot be copied is named', async () => {
      await expect(guest.upload(join(folder, 'none'), '/srv/x')).rejects.toThrow(
        `upload: there is no ${folder}/none`,
      )
      await expect(guest.upload(folder, 'srv/x')).rejects.toThrow('srv/x is no absolute path in the guest')
      await expect(guest.download('/no/such', join(folder, 'x'))).rejects.toThrow(
        /download of \/no\/such.*there is no \/no\/such/,
      )
      await expect(
        guest.upload(join(folder, 'file'), '/srv/x', { owner: 'nobody-known' }),
      ).rejects.toMatchObject({
        code: 'guest-failed',
        message: expect.stringContaining('nobody-known'),
      })
      expect((await readdir(folder)).filter((entry) => entry.startsWith('.download-'))).toEqual([])
    })

    test('a further disk is found by its serial and cannot be written to', async () => {
      expect((await guest.run('head -c 25 /dev/disk/by-id/virtio-tools')).stdout).toBe(
        'what is on the tools disk',
      )
      const write = 'echo x > /dev/disk/by-id/virtio-tools'
      expect((await guest.run(write, { allowFailure: true })).status).not.toBe(0)
    })

    test('the mirror answers under its address, and nothing else does', async () => {
      const host = new URL(network.mirrorUrl).hostname
      const get = `exec 3<>/dev/tcp/${host}/80; printf "GET /deb/x HTTP/1.0\\r\\n\\r\\n" >&3; cat <&3`
      expect((await guest.run(`bash -c '${get}'`)).stdout).toContain('mirror has /deb/x')
      const away = (word: string) =>
        guest.run(`timeout 20 bash -c 'echo > /dev/tcp/${word}'`, { allowFailure: true })
      expect((await away('192.0.2.7/443')).stderr).toMatch(/refused|unreachable/)
      expect((await away('192.0.2.7/443')).status).not.toBe(0)
    })

    test('who tried to leave is known by name, and is refused at once', async () => {
      if (network.welcome) {
        // As systemd-resolved has it; what is a file on the disk would be left alone.
        await guest.run('cp /etc/resolv.conf /run/resolv.conf && ln -sf /run/resolv.conf /etc/resolv.conf')
        // What was tried before these commands died unseen in the guest.
        await guest.run(network.welcome)
      }
      const before = (await network.escapes()).find(({ to }) => to === '192.0.2.7')?.times ?? 0
      expect(before).toBe(network.kind === 'user' ? 0 : 2)
      const began = performance.now()
      expect((await guest.run('getent hosts deb.debian.org', { allowFailure: true })).status).not.toBe(0)
      const tried = `for to in tcp/192.0.2.7/443 udp/192.0.2.8/123 udp/224.0.0.251/5353; do echo > /dev/$to; done`
      await guest.run(`bash -c '${tried}'`, { allowFailure: true })
      expect(performance.now() - began).toBeLessThan(15_000)
      const escapes = await network.escapes()
      const who = `machine ${machineName}`
      expect(escapes).toContainEqual({ who, to: 'deb.debian.org', how: 'dns', times: expect.any(Number) })
      expect(escapes).toContainEqual({ who, to: '192.0.2.7', how: 'tcp/443', times: before + 1 })
      expect(escapes).toContainEqual(
        expect.objectContaining({ who, to: '192.0.2.8', how: 'udp/123', times: 1 }),
      )
      expect(escapes.map(({ to }) => to)).not.toContain('mirror.internal')
      expect(escapes.filter(({ to }) => /^(10\.|2(2[4-9]|[345]\d)\.)/.test(to))).toEqual([])
      // What a machine does by itself is none of it: nothing else has been tried here.
      expect(grave(escapes).map(({ to }) => to)).toEqual(['192.0.2.7', 'deb.debian.org'])
    })

    test('an open port is open; a closed one refuses, or its connection is said to prove nothing', async () => {
      const ssh = await machine.reach(22)
      expect(await knock(ssh)).toBe('SSH-2.0')
      const closed = await machine.reach(81)
      if (closed.connectionProves) expect(await knock(closed)).toBe('ECONNREFUSED')
      else expect(await knock(closed)).not.toBe('SSH-2.0')
      expect(await machine.address(signal)).toMatch(/^10\.\d+\.\d+\.\d+$/)
    })

    test('the screen is a picture of something', async () => {
      const path = join(folder, 'evidence', 'screens', 'now.png')
      await machine.screenshot(path)
      const picture = readPng(await readFile(path))
      expect(picture.width).toBeGreaterThanOrEqual(640)
      expect(new Set(picture.bytes).size).toBeGreaterThan(1)
    })

    test('a rollback undoes what was done since, and the machine has not restarted', async () => {
      const bootId = (await guest.run('cat /proc/sys/kernel/random/boot_id')).stdout
      await guest.run('echo before > /srv/state; sync')
      await machine.snapshot('pristine')
      for (const round of [1, 2]) {
        await guest.run(`echo after > /srv/state; touch /srv/new-${round}; sync`)
        await machine.rollback('pristine', signal)
        guest = await machine.guest(signal)
        const now = await guest.run(
          'cat /proc/sys/kernel/random/boot_id; cat /srv/state; ls /srv | grep new; date +%s',
        )
        const [id, state, seconds] = now.stdout.split('\n')
        expect([`${id}\n`, state]).toEqual([bootId, 'before'])
        expect(Math.abs(Number(seconds) - Date.now() / 1000)).toBeLessThan(5)
      }
    })

    test('a snapshot that was never made is an error with the reason', async () => {
      await expect(machine.rollback('never', signal)).rejects.toThrow(/cannot be rolled back: .*never/)
      guest = await machine.guest(signal, 60_000)
      expect((await guest.run('echo alive')).stdout).toBe('alive\n')
    })

    test('it shuts down when asked, and leaves a console log and nothing that runs', async () => {
      expect((await processesWith(machineName)).length).toBeGreaterThan(0)
      expect(await machine.shutdown(signal)).toBe(true)
      expect(await processesWith(machineName)).toEqual([])
      expect(await readFile(machine.evidence[0]!, 'utf8')).toContain('login:')
      expect(await readdir(join(folder, 'work'))).toEqual([])
    })

    test('a machine that never answers is an error that shows its last screen', async () => {
      const empty = join(folder, 'empty.img')
      await writeFile(empty, Buffer.alloc(1 << 20))
      await using silent = await hypervisor.boot({ ...spec, disk: { path: empty, format: 'raw' } }, signal)
      const error = await silent.guest(signal, 12_000).catch((thrown) => thrown)
      expect(error).toMatchObject({
        code: 'no-answer',
        message: expect.stringMatching(/no answer within 12 s/),
      })
      const picture = (error.evidence as string[]).find((path) => path.endsWith('.png'))!
      expect(readPng(await readFile(picture)).width).toBeGreaterThan(0)
      if (model.firmware === 'bios') expect(error.message).toContain('No bootable device')
    })

    test('disposing of a machine leaves nothing that runs and nothing on the disk', async () => {
      const other = await hypervisor.boot(spec, signal)
      expect((await processesWith(machineName)).length).toBeGreaterThan(0)
      await other[Symbol.asyncDispose]()
      expect(await processesWith(machineName)).toEqual([])
      expect(await readdir(join(folder, 'work'))).toEqual([])
    })

    test('a disk that is none is refused with the reason', async () => {
      const attempt = hypervisor.boot(
        { ...spec, disk: { path: join(folder, 'tools.img'), format: 'qcow2' }, throwAway: false },
        signal,
      )
      await expect(attempt).rejects.toThrow(/Image is not in qcow2 format/)
      expect(await processesWith(machineName)).toEqual([])
    })

    test('an interrupted wait ends at once', async () => {
      await using other = await hypervisor.boot(spec, signal)
      const began = performance.now()
      await expect(other.guest(AbortSignal.timeout(300))).rejects.toMatchObject({ name: 'TimeoutError' })
      expect(performance.now() - began).toBeLessThan(3000)
    })
  })
}

/** Connects and gives the first seven characters the other side says (in three seconds), or the error's code. */
function knock({ host, port }: { host: string; port: number }): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, host)
    const say = (word: string) => {
      socket.destroy()
      resolve(word)
    }
    socket.setTimeout(3000, () => say('silence'))
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => say(text.slice(0, 7)))
    socket.on('error', (error: NodeJS.ErrnoException) => say(error.code!))
    socket.on('end', () => say('end'))
  })
}

/** Width and unpacked rows of a PNG (W3C PNG, 5.3 chunk layout, 11.2.2 IHDR, 11.2.4 IDAT). */
function readPng(file: Buffer): { width: number; bytes: Buffer } {
  expect(file.subarray(1, 4).toString()).toBe('PNG')
  const data: Buffer[] = []
  for (let at = 8; at < file.length; ) {
    const length = file.readUInt32BE(at)
    if (file.subarray(at + 4, at + 8).toString() === 'IDAT') data.push(file.subarray(at + 8, at + 8 + length))
    at += length + 12
  }
  return { width: file.readUInt32BE(16), bytes: inflateSync(Buffer.concat(data)) }
}
