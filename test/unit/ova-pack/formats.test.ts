import { describe, expect, test } from '@jest/globals'
import { padded, ustarHeader } from '../../../actions/lib/files/ustar.ts'
import { manifest } from '../../../actions/lib/ovf/manifest.ts'
import {
  GRAIN,
  GRAINS_PER_TABLE,
  GrainIndex,
  SECTOR,
  TABLE_SPAN,
  vmdkHead,
} from '../../../actions/lib/vmdk/vmdk.ts'

describe('USTAR', () => {
  test('small sizes are octal', () => {
    expect(ustarHeader('a.ovf', 4096).toString('latin1', 124, 136)).toBe('00000010000\0')
  })

  test('the largest octal size and the first in base 256', () => {
    expect(ustarHeader('a.vmdk', 8 ** 11 - 1).toString('latin1', 124, 136)).toBe('77777777777\0')
    const large = ustarHeader('a.vmdk', 8 ** 11).subarray(124, 136)
    expect(large.toString('hex')).toBe('800000000000000200000000')
  })

  test('a name that does not fit is refused, not cut', () => {
    expect(() => ustarHeader(`${'n'.repeat(97)}.mf`, 1)).not.toThrow()
    expect(() => ustarHeader(`${'n'.repeat(98)}.mf`, 1)).toThrow('100 bytes')
  })

  test('members are padded to whole blocks', () => {
    expect([0, 1, 512, 513].map(padded)).toEqual([0, 512, 512, 1024])
  })
})

test('a manifest has no space before ( or =', () => {
  const files = [
    { name: 'a.ovf', sha256: '0a' },
    { name: 'a-disk1.vmdk', sha256: 'ff' },
  ]
  expect(manifest(files)).toBe('SHA256(a.ovf)= 0a\nSHA256(a-disk1.vmdk)= ff\n')
})

describe('VMDK', () => {
  const identity = {
    name: 'a-disk1.vmdk',
    capacity: 2 ** 30,
    content: 'cafe0123'.repeat(8),
    adapterType: 'lsilogic',
  } as const

  test('the header says version 3, compressed grains with markers, directory at the end', () => {
    const head = vmdkHead(identity)
    expect(head.toString('latin1', 0, 4)).toBe('KDMV')
    expect(head.readUInt32LE(4)).toBe(3)
    expect(head.readUInt32LE(8)).toBe(0x30001)
    expect(head.readBigUInt64LE(12)).toBe(2n ** 21n)
    expect(head.readBigUInt64LE(56)).toBe(0xffffffffffffffffn)
    expect(head.subarray(73, 77).toString('latin1')).toBe('\n \r\n')
  })

  test('the content identity comes from the content, and is none of the reserved ones', () => {
    const cid = (content: string) =>
      /^CID=(.*)$/m.exec(vmdkHead({ ...identity, content }).toString('latin1'))?.[1]
    expect(cid('cafe0123'.repeat(8))).toBe('cafe0123')
    expect(cid('f'.repeat(64))).not.toMatch(/^ffffff/)
    expect(cid(`fffffffe${'0'.repeat(56)}`)).not.toMatch(/^ffffff/)
  })

  test('a table follows its grains, an empty one is left out, and nothing follows the end of stream', () => {
    const index = new GrainIndex(3 * TABLE_SPAN)
    index.place(5, 128)
    const first = index.closeTable(200)!
    expect(first.length).toBe(SECTOR + GRAINS_PER_TABLE * 4)
    expect(first.readUInt32LE(SECTOR + 5 * 4)).toBe(128)
    expect(index.closeTable(300)).toBeUndefined()
    index.place(2 * GRAINS_PER_TABLE, 300)
    index.closeTable(400)
    const end = index.end(500)
    expect([0, 4, 8].map((at) => end.readUInt32LE(SECTOR + at))).toEqual([201, 0, 401])
    // marker, directory, marker, footer, end of stream
    expect(end.length).toBe(5 * SECTOR)
    expect(end.readBigUInt64LE(3 * SECTOR + 56)).toBe(501n)
    expect(end.subarray(4 * SECTOR).every((byte) => byte === 0)).toBe(true)
    expect(GRAIN * GRAINS_PER_TABLE).toBe(TABLE_SPAN)
  })
})
