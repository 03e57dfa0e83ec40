import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import { Capture } from '../../../actions/lib/network/capture.ts'
import { noSuchName, questionIn } from '../../../actions/lib/network/dns-message.ts'
import { approachIn } from '../../../actions/lib/network/frame.ts'
import { readPackets } from '../../../actions/lib/network/pcap.ts'
import { emptyResolver } from '../../../actions/lib/network/resolver.ts'

const bytes = (...parts: (number[] | Buffer | string)[]): Buffer =>
  Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))),
  )
const short = (number: number) => [number >> 8, number & 255]

/** A question for a name (RFC 1035, 4.1). */
function query(name: string, type = 1): Buffer {
  const labels = name.split('.').map((label) => bytes([label.length], label))
  return bytes([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0], ...labels, [0], short(type), [0, 1])
}
const ethernet = (type: number, packet: Buffer) =>
  bytes([0x52, 0x55, 10, 0, 2, 2], [0x52, 0x54, 0, 0x77, 0, 0x10], short(type), packet)
const ip = (to: string, protocol: number, payload: Buffer, options = 0, offset = 0) =>
  ethernet(
    0x0800,
    bytes(
      [
        0x45 + options / 4,
        0,
        ...short(20 + options + payload.length),
        0,
        1,
        ...short(offset),
        64,
        protocol,
        0,
        0,
      ],
      [10, 0, 2, 15],
      to.split('.').map(Number),
      Buffer.alloc(options),
      payload,
    ),
  )
const ipv6 = (to: string, next: number, payload: Buffer) =>
  ethernet(
    0x86dd,
    bytes(
      [0x60, 0, 0, 0, ...short(payload.length), next, 64],
      Buffer.alloc(16),
      Buffer.from(to, 'hex'),
      payload,
    ),
  )
const tcp = (port: number, flags: number) =>
  bytes(short(40000), short(port), Buffer.alloc(8), [0x50, flags], Buffer.alloc(6))
const udp = (port: number, payload: Buffer = Buffer.alloc(0)) =>
  bytes(short(40000), short(port), short(8 + payload.length), [0, 0], payload)
const [SYN, SYN_ACK, ACK, ECN_SYN] = [0x02, 0x12, 0x10, 0xc2]

describe('what a packet begins', () => {
  test.each([
    ['a connection', ip('192.0.2.7', 6, tcp(443, SYN)), { to: '192.0.2.7', how: 'tcp/443' }],
    [
      'one with congestion control',
      ip('192.0.2.7', 6, tcp(443, ECN_SYN)),
      { to: '192.0.2.7', how: 'tcp/443' },
    ],
    ['one with options', ip('192.0.2.7', 6, tcp(443, SYN), 8), { to: '192.0.2.7', how: 'tcp/443' }],
    ['a datagram', ip('192.0.2.8', 17, udp(123)), { to: '192.0.2.8', how: 'udp/123' }],
    ['an echo request', ip('192.0.2.8', 1, Buffer.from([8, 0, 0, 0])), { to: '192.0.2.8', how: 'icmp' }],
    ['another protocol', ip('192.0.2.8', 47, Buffer.alloc(8)), { to: '192.0.2.8', how: 'ip/47' }],
    [
      'IPv6',
      ipv6('20010db8000000000000000000000007', 6, tcp(443, SYN)),
      { to: '2001:db8:0:0:0:0:0:7', how: 'tcp/443' },
    ],
    [
      'a question',
      ip('10.0.2.3', 17, udp(53, query('Deb.Debian.org', 28))),
      { to: '10.0.2.3', how: 'udp/53', question: { name: 'deb.debian.org', type: 'AAAA' } },
    ],
  ])('%s', (_, frame, expected) => {
    expect(approachIn(frame)).toEqual(expected)
  })

  test.each([
    ['an answer to a connection', ip('192.0.2.7', 6, tcp(443, SYN_ACK))],
    ['what follows in one', ip('192.0.2.7', 6, tcp(443, ACK))],
    ['an answer to an echo', ip('192.0.2.8', 1, Buffer.from([0, 0, 0, 0]))],
    ['a piece of a packet', ip('192.0.2.8', 17, udp(123), 0, 100)],
    ['a multicast (mDNS)', ip('224.0.0.251', 17, udp(5353))],
    ['a broadcast (DHCP)', ip('255.255.255.255', 17, udp(67))],
    ['a neighbour solicitation', ipv6('ff0200000000000000000001ff000002', 58, Buffer.from([135, 0, 0, 0]))],
    ['a word to a link-local neighbour', ipv6('fe800000000000000000000000000002', 17, udp(547))],
    ['ARP', ethernet(0x0806, Buffer.alloc(28))],
    ['nothing', Buffer.alloc(0)],
  ])('nothing: %s', (_, frame) => {
    expect(approachIn(frame)).toBeUndefined()
  })

  test('a frame that is cut anywhere is no error', () => {
    for (const frame of [
      ip('192.0.2.7', 6, tcp(443, SYN), 8),
      ip('10.0.2.3', 17, udp(53, query('a.org'))),
      ipv6('20010db8000000000000000000000007', 17, udp(53, query('a.org'))),
    ])
      for (let length = 0; length <= frame.length; length++)
        expect(() => approachIn(frame.subarray(0, length))).not.toThrow()
  })
})

describe('a question to a resolver', () => {
  test('is read, strange bytes and all', () => {
    expect(questionIn(query('a.org', 65))).toEqual({ name: 'a.org', type: 'TYPE65' })
    expect(questionIn(query('x\u001b y.org'))!.name).toBe('x\\027\\032y.org')
  })

  test('is none when it is an answer, has no question, or names that point elsewhere', () => {
    const answer = query('a.org')
    answer[2] = 0x81
    const empty = query('a.org')
    empty[5] = 0
    const pointing = query('a.org')
    pointing[12] = 0xc0
    for (const message of [answer, empty, pointing]) expect(questionIn(message)).toBeUndefined()
  })

  test('is answered that there is no such name', () => {
    const asked = bytes(query('a.org'), [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]) // with EDNS
    asked[11] = 1
    expect(noSuchName(asked)).toEqual(
      bytes([0x12, 0x34, 0x81, 0x83, 0, 1, 0, 0, 0, 0, 0, 0], [1], 'a', [3], 'org', [0, 0, 1, 0, 1]),
    )
  })

  test('by TCP is answered however its bytes arrive, several on a connection, and told', async () => {
    const told: string[] = []
    await using resolver = await emptyResolver(({ name, type }) => told.push(`${name} ${type}`))
    const framed = (message: Buffer) => bytes(short(message.length), message)
    const sent = bytes(framed(query('one.org')), framed(query('two.org', 28)))
    const socket = connect(resolver.port, '127.0.0.1')
    socket.setNoDelay(true)
    for (const byte of sent) {
      socket.write(Buffer.from([byte]))
      await new Promise((resolve) => setImmediate(resolve))
    }
    let received: Buffer = Buffer.alloc(0)
    for await (const chunk of socket) {
      received = Buffer.concat([received, chunk as Buffer])
      if (received.length >= sent.length) break
    }
    expect(received.subarray(2)).toEqual(
      bytes(noSuchName(query('one.org'))!, framed(noSuchName(query('two.org', 28))!)),
    )
    expect(told).toEqual(['one.org A', 'two.org AAAA'])
  })
})

const folder = await mkdtemp(join(tmpdir(), 'appliance-capture-'))
afterAll(() => rm(folder, { recursive: true }))

const record = (packet: Buffer, big = false) => {
  const header = Buffer.alloc(16)
  const write = (value: number, at: number) =>
    big ? header.writeUInt32BE(value, at) : header.writeUInt32LE(value, at)
  write(packet.length, 8)
  write(packet.length + 1000, 12)
  return bytes(header, packet)
}
const file = (big = false, link = 1) => {
  const header = Buffer.alloc(24)
  const write = (value: number, at: number) =>
    big ? header.writeUInt32BE(value, at) : header.writeUInt32LE(value, at)
  write(0xa1b2c3d4, 0)
  write(link, 20)
  return header
}

describe('a packet capture', () => {
  test.each([false, true])('is read in either order of bytes (big: %s)', (big) => {
    const one = Buffer.from('one')
    const capture = bytes(file(big), record(one, big), record(Buffer.from('two'), big), [0, 0, 0])
    const { packets, end } = readPackets(capture)
    expect(packets.map(String)).toEqual(['one', 'two'])
    expect(end).toBe(capture.length - 3)
    expect(readPackets(record(one, big), file(big)).packets.map(String)).toEqual(['one'])
  })

  test('is refused when it is something else', () => {
    expect(() => readPackets(Buffer.alloc(24))).toThrow('no packet capture')
    expect(() => readPackets(file(false, 101))).toThrow('not of Ethernet')
  })

  test('is read on as it grows, however it is cut, and each packet counts once', async () => {
    const path = join(folder, 'growing.pcap')
    const capture = new Capture(path, 'machine box', (address) => address.startsWith('10.0.2.'))
    expect(await capture.attempts()).toEqual([])
    const whole = bytes(
      file(),
      ...[
        ip('192.0.2.7', 6, tcp(443, SYN)),
        ip('10.0.2.100', 6, tcp(80, SYN)),
        ip('192.0.2.7', 6, tcp(443, SYN)),
        ip('10.0.2.3', 17, udp(53, query('a.org'))),
        ip('10.0.2.3', 17, udp(53, query('a.org', 28))),
        ip('192.0.2.53', 17, udp(53, query('b.org'))),
      ].map((packet) => record(packet)),
    )
    await writeFile(path, '')
    for (let at = 0; at < whole.length; at += 37) {
      await appendFile(path, whole.subarray(at, at + 37))
      await Promise.all([capture.attempts(), capture.attempts()])
    }
    const who = 'machine box'
    expect(await capture.attempts()).toEqual([
      { who, to: '192.0.2.7', how: 'tcp/443', times: 2 },
      { who, to: '192.0.2.53', how: 'udp/53', times: 1 },
      { who, to: 'a.org', how: 'dns', times: 1 },
      { who, to: 'b.org', how: 'dns', times: 1 },
    ])
  })
})
