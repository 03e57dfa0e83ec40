import { expect, test } from '@jest/globals'
import { exactSize, parseSize } from '../../../actions/lib/units/size.ts'

test('a size is written as it was set, and reads back as the same', () => {
  for (const text of ['512 MiB', '30 GiB', '30 GB', '1500 MB', '1 TiB', '4 KiB', '7 B', '0 B'])
    expect(exactSize(parseSize(text)!)).toBe(text)
  expect(exactSize(parseSize('1.5 GiB')!)).toBe('1536 MiB')
  expect(exactSize(parseSize('1000 MB')!)).toBe('1 GB')
})
