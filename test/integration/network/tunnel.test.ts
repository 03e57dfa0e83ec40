import { createSocket } from 'node:dgram'
import { afterAll, describe, expect, test } from '@jest/globals'
import { tapOf, tunnelArguments } from '../../../actions/lib/hypervisor/virtualbox/commands.ts'
import { freePort } from '../../../actions/lib/network/free-port.ts'
import { privateNetwork } from '../../../actions/lib/network/private.ts'
import { run, start } from '../../../actions/lib/process/command.ts'
import { isInside, testsInside } from '../../fixtures/inside.ts'
import { keptLog, serveEcho } from '../../fixtures/machine-room.ts'

const there = await run('socat', ['-V'], { allowFailure: true }).then(
  () => true,
  () => false,
)
if (!there) test.skip('skipped, because socat is not installed', () => {})
else if (!isInside()) await testsInside(import.meta.url)
else
  describe('VirtualBox’ tunnel', () => {
    const opened: AsyncDisposable[] = []
    afterAll(async () => {
      for (const one of opened.reverse()) await one[Symbol.asyncDispose]()
    })

    test('brings a machine’s frames into the private network, and the answers back', async () => {
      const network = await privateNetwork({ serve: serveEcho, log: keptLog() })
      opened.push(network)
      const mac = '52:54:00:77:00:1a'
      const plug = await network.plug({ name: 'tunnelled', mac, ports: [22] })
      opened.push(plug)
      const tunnel = { from: await freePort(), to: await freePort() }
      opened.push(await start('socat', tunnelArguments(tapOf(plug.netdev)!, tunnel)))

      const machine = createSocket('udp4')
      await new Promise<void>((done) => machine.bind(tunnel.from, '127.0.0.1', done))
      try {
        const answer = new Promise<Buffer>((done) => {
          machine.on('message', (frame) => {
            if (frame.readUInt16BE(12) === 0x0806 && frame.readUInt16BE(20) === 2) done(frame)
          })
        })
        const asked = setInterval(
          () => machine.send(whoHas(mac, network.hostAddress!), tunnel.to, '127.0.0.1'),
          100,
        )
        const frame = await answer
        clearInterval(asked)
        expect([...frame.subarray(28, 32)].join('.')).toBe(network.hostAddress)
        expect(frame.subarray(0, 6)).toEqual(bytesOf(mac))
      } finally {
        machine.close()
      }
    })
  })

/** An Ethernet frame: who has this address? (RFC 826) */
function whoHas(mac: string, address: string): Buffer {
  const [ours, zeros] = [bytesOf(mac), Buffer.alloc(6)]
  const wanted = Buffer.from(address.split('.').map(Number))
  const own = Buffer.from([...wanted.subarray(0, 3), 99])
  const head = Buffer.from([0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, 1])
  return Buffer.concat([Buffer.alloc(6, 0xff), ours, head, ours, own, zeros, wanted, Buffer.alloc(18)])
}

function bytesOf(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex')
}
