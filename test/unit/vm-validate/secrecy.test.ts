import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { secrets } from '../../../actions/lib/log/secrets.ts'
import { payloadOf } from '../../../actions/lib/network/payload.ts'
import { readPackets } from '../../../actions/lib/network/pcap.ts'
import { concealFolder } from '../../../actions/vm-validate/secrecy.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'appliance-secrecy-'))
})
afterEach(() => rm(folder, { recursive: true }))

/** A TCP segment from 10.0.0.1 to 10.0.0.2 port 80, with 12 bytes of options. */
function segment(text: string): Buffer {
  const ethernet = Buffer.from('525400000001525400000002' + '0800', 'hex')
  const ip = Buffer.alloc(20)
  ip.writeUInt8(0x45, 0)
  ip.writeUInt16BE(20 + 32 + text.length, 2)
  ip.set([64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], 8)
  const tcp = Buffer.alloc(32)
  tcp.writeUInt16BE(40_000, 0)
  tcp.writeUInt16BE(80, 2)
  tcp.writeUInt8(0x80, 12)
  return Buffer.concat([ethernet, ip, tcp, Buffer.from(text)])
}

function capture(packets: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(24)
  header.writeUInt32LE(0xa1b2c3d4, 0)
  header.writeUInt16LE(2, 4)
  header.writeUInt16LE(4, 6)
  header.writeUInt32LE(512, 16)
  header.writeUInt32LE(1, 20)
  const records = packets.map((packet, index) => {
    const record = Buffer.alloc(16)
    record.writeUInt32LE(index, 0)
    record.writeUInt32LE(packet.length, 8)
    record.writeUInt32LE(packet.length, 12)
    return Buffer.concat([record, packet])
  })
  return Buffer.concat([header, ...records])
}

test('a record of packets keeps its form and every header, and loses the secrets', async () => {
  const texts = [
    'POST /login HTTP/1.1\r\n\r\nuser=admin&password=p%2Bss+word',
    'POST /login HTTP/1.1\r\n\r\n{"password":"p+ss word"}',
    'nothing here',
    'the half of it: p+ss w',
  ]
  const many = Array.from({ length: 40_000 }, (_, index) => segment(`${index} ${texts[index % 4]}`))
  const before = capture(many)
  await writeFile(join(folder, 'packets.pcap'), before)
  await concealFolder(folder, secrets(['p+ss word']))
  const after = await readFile(join(folder, 'packets.pcap'))
  expect(after.length).toBe(before.length)
  const { packets } = readPackets(after)
  expect(packets).toHaveLength(many.length)
  expect(packets.slice(0, 4).map((packet) => payloadOf(packet).toString())).toEqual([
    '0 POST /login HTTP/1.1\r\n\r\nuser=admin&password=***********',
    '1 POST /login HTTP/1.1\r\n\r\n{"password":"*********"}',
    '2 nothing here',
    '3 the half of it: ******',
  ])
  expect(packets.every((packet, index) => packet.subarray(0, 66).equals(many[index]!.subarray(0, 66)))).toBe(
    true,
  )
  expect(after.toString('latin1')).not.toContain('p+ss')
})

test('text is gone through line by line, however large; pictures and files of other kinds stay whole', async () => {
  const line = `${'x'.repeat(99)}hush ${'y'.repeat(95)}\n`
  await writeFile(join(folder, 'a.log'), line.repeat(20_000))
  await writeFile(join(folder, 'empty.log'), '')
  await writeFile(join(folder, 'half.pcap'), 'hush, no capture')
  await writeFile(join(folder, 'screen.png'), 'hush')
  await concealFolder(folder, secrets(['hush']))
  expect(await readFile(join(folder, 'a.log'), 'utf8')).toBe(line.replace('hush', '***').repeat(20_000))
  expect(await readFile(join(folder, 'empty.log'), 'utf8')).toBe('')
  expect(await readFile(join(folder, 'half.pcap'), 'utf8')).toBe('****, no capture')
  expect(await readFile(join(folder, 'screen.png'), 'utf8')).toBe('hush')
})
