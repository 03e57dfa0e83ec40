import { createConnection } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { MachineNetwork } from '../../../actions/lib/network/network.ts'
import { privateNetwork } from '../../../actions/lib/network/private.ts'
import { type RunningCommand, run, start } from '../../../actions/lib/process/command.ts'
import { isInside, testsInside } from '../../fixtures/inside.ts'
import { keptLog, serveEcho } from '../../fixtures/machine-room.ts'

/** A machine without a computer: a shell in a network of its own, on the bridge. */
let machine: RunningCommand

/** Output, errors among it, and exit status of commands in there. */
async function guest(script: string): Promise<{ status: number; output: string }> {
  machine.stdin.write(`( ${script} ) </dev/null 2>&1; echo "end:$?"\n`)
  let output = ''
  for await (const chunk of machine.stdout.iterator({ destroyOnReturn: false })) {
    output += chunk.toString()
    const end = /end:(\d+)\n$/.exec(output)
    if (end) return { status: Number(end[1]), output: output.slice(0, end.index) }
  }
  throw new Error(`the guest is gone: ${output}`)
}

if (!isInside()) await testsInside(import.meta.url)
else
  describe('the private network', () => {
    let network: MachineNetwork
    beforeAll(async () => {
      network = await privateNetwork({ serve: serveEcho, log: keptLog() })
      machine = await start('unshare', ['--net', 'bash'])
      expect(await guest('ip link set lo up')).toEqual({ status: 0, output: '' }) // it is in its own network now
      const peer = ['peer', 'name', 'eth0', 'netns', `${machine.pid}`]
      await run('ip', ['link', 'add', 'veth0', 'type', 'veth', ...peer])
      await run('ip', ['link', 'set', 'veth0', 'master', 'appliance0', 'up'])
      const up =
        'ip address add 10.77.0.5/24 dev eth0 && ip link set eth0 up && ip route add default via 10.77.0.1'
      expect(await guest(up)).toEqual({ status: 0, output: '' })
      await network.plug({ name: 'box', mac: '52:54:00:77:00:10', ports: [] })
    })
    afterAll(async () => {
      await machine?.stop()
      await network?.[Symbol.asyncDispose]()
    })

    test('knows who tried to reach what: the machine, by address and port', async () => {
      expect((await guest('echo > /dev/tcp/192.0.2.7/443')).output).toContain('refused')
      await guest('echo > /dev/udp/192.0.2.8/123; echo > /dev/udp/224.0.0.251/5353')
      const escapes = await network.escapes()
      expect(escapes).toContainEqual({ who: 'machine box', to: '192.0.2.7', how: 'tcp/443', times: 1 })
      expect(escapes).toContainEqual({
        who: 'machine box',
        to: '192.0.2.8',
        how: 'udp/123',
        times: 1,
        harmless: expect.stringContaining('NTP'),
      })
      expect(escapes.filter(({ to }) => to.startsWith('224.'))).toEqual([])
    })

    test('by name also when another resolver is asked, which gets an answer at once', async () => {
      const ask = (resolver: string, name: string) =>
        guest(`exec 3<>/dev/udp/${resolver}/53; ${question(name)} >&3; timeout 3 head -c 4 <&3 | od -An -tx1`)
      // 8183: an answer, recursion available, no such name (RFC 1035, 4.1.1).
      expect((await ask('10.77.0.1', 'one.debian.org')).output.trim()).toMatch(/^12 34 8[15] [08]3$/)
      expect((await ask('192.0.2.53', 'two.debian.org')).output.trim()).toMatch(/^12 34 8[15] [08]3$/)
      const escapes = await network.escapes()
      for (const to of ['one.debian.org', 'two.debian.org'])
        expect(escapes).toContainEqual({ who: 'machine box', to, how: 'dns', times: 1 })
      expect(escapes).toContainEqual({ who: 'machine box', to: '192.0.2.53', how: 'udp/53', times: 1 })
    })

    test('and tells programs of this computer apart', async () => {
      const refused = await new Promise<string | undefined>((resolve) => {
        createConnection(443, '192.0.2.9').on('error', (error: NodeJS.ErrnoException) => resolve(error.code))
      })
      expect(refused).toBe('ECONNREFUSED')
      await run('getent', ['hosts', 'rubygems.org'], { allowFailure: true, timeout: 5000 })
      const ours = (await network.escapes()).filter(({ who }) => who === 'a program on this computer')
      expect(ours).toEqual([
        expect.objectContaining({ to: '192.0.2.9', how: 'tcp/443', times: 1 }),
        expect.objectContaining({ to: 'rubygems.org', how: 'dns' }),
      ])
    })

    test('an address of IPv6 is remembered too, its neighbours are not', async () => {
      const ready = [
        'ip address add 2001:db8::5/64 dev eth0 nodad',
        'ip neighbour replace 2001:db8::1 lladdr 52:54:00:77:00:01 dev eth0',
        'ip route add 2001:db8:1::/64 via 2001:db8::1',
      ]
      expect(await guest(ready.join(' && '))).toEqual({ status: 0, output: '' })
      await guest('timeout 2 bash -c "echo > /dev/udp/2001:db8:1::7/9"')
      const found = (await network.escapes()).filter(({ to }) => to.startsWith('['))
      expect(found).toEqual([{ who: 'machine box', to: '[2001:db8:1::7]', how: 'udp/9', times: 1 }])
    })

    test('what is in it is reached, and is nobody’s escape', async () => {
      const got = await guest(
        'exec 3<>/dev/tcp/10.77.0.1/80; printf "GET /x HTTP/1.0\\r\\n\\r\\n" >&3; cat <&3',
      )
      expect(got.output).toContain('mirror has /x')
      expect((await network.escapes()).filter(({ to }) => to.startsWith('10.77.'))).toEqual([])
    })
  })

/** A printf that writes a question for A of a name (RFC 1035, 4.1). */
function question(name: string): string {
  const labels = name.split('.').map((label) => `\\x${label.length.toString(16).padStart(2, '0')}${label}`)
  return `printf '\\x12\\x34\\x01\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00${labels.join('')}\\x00\\x00\\x01\\x00\\x01'`
}
