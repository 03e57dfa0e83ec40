import { describe, expect, test } from '@jest/globals'
import { uuidOf } from '../../../actions/lib/disk/uuid.ts'

describe('a UUID made from a seed', () => {
  test('is a custom one, version 8, of the standard variant (RFC 9562 §4.1, §5.8)', () => {
    // Every value of the hex digit that becomes the variant occurs among a few hundred seeds.
    for (let seed = 0; seed < 256; seed++)
      expect(uuidOf(`${seed}`)).toMatch(
        /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      )
  })

  test('is the same on every computer and in every year', () => {
    expect(uuidOf('license-server root')).toBe('e23fe5f7-2d11-82dd-9bbf-fe1d605c75a6')
  })

  test('differs from that of another seed', () => {
    const seeds = Array.from({ length: 1000 }, (_, index) => `${index}`)
    expect(new Set(seeds.map(uuidOf)).size).toBe(1000)
  })
})
