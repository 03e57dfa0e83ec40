import { describe, expect, test } from '@jest/globals'
import { isRelease } from '../../../actions/lib/runner/cache.ts'
import { fitting, linked } from '../../../actions/lib/runner/summary.ts'

describe('a summary', () => {
  test('that fits is left alone', () => {
    expect(fitting('# héllo\n', 9)).toBe('# héllo\n')
  })

  test('that is too long is cut at a line, and says so, within the room there is', () => {
    const long = `${'é'.repeat(99)}\n`.repeat(1000)
    const cut = fitting(long, 10_000)
    expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(10_000)
    const [kept, note] = cut.split('\n\n*')
    expect(long.startsWith(`${kept!}\n`)).toBe(true)
    expect(note).toMatch(/^The summary was longer/)
  })

  test('that is cut within a fence has it closed before the note', () => {
    const cut = fitting(`\`\`\`\`text\n${'x\n```\n'.repeat(1000)}`, 1000)
    expect(cut).toMatch(/\n````\n\n\*The summary/)
    expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(1000)
  })

  test('links the evidence that it names to its artifact', () => {
    const text =
      'see `evidence/a/x`\nScreens: `evidence/a/screen.png`\nEvidence: `evidence/a/x`, ``evidence/b y``\n'
    expect(linked(text, undefined)).toBe(text)
    expect(linked(text, 'https://example.test/1')).toBe(
      'see `evidence/a/x`\nScreens: [`evidence/a/screen.png`](https://example.test/1)\nEvidence: [`evidence/a/x`](https://example.test/1), [``evidence/b y``](https://example.test/1)\n',
    )
  })

  test('with no room at all is left out', () => {
    expect(fitting('text', 0)).toBe('')
    expect(fitting('text', -5)).toBe('')
  })
})

test('a tag and a published release are releases, a branch is not', () => {
  expect(isRelease({ GITHUB_REF_TYPE: 'tag' })).toBe(true)
  expect(isRelease({ GITHUB_REF_TYPE: 'branch', GITHUB_EVENT_NAME: 'release' })).toBe(true)
  expect(isRelease({ GITHUB_REF_TYPE: 'branch', GITHUB_EVENT_NAME: 'push' })).toBe(false)
})
