import { describe, expect, test } from '@jest/globals'
import { secrets } from '../../../actions/lib/log/secrets.ts'

const nasty = `p.ss+w"or\\d$1 é<'/`
const html = nasty.replace('<', '&lt;').replace('"', '&quot;')

describe('a secret', () => {
  test('is hidden wherever it stands, the longer one first', () => {
    expect(secrets(['abc', 'abcdef', '']).hide('xabcdefabcx')).toBe('x******x')
    const later = secrets()
    later.add('one\ntwo')
    expect(later.hide('two and one')).toBe('*** and ***')
    expect([...later]).toEqual(['one\ntwo'])
  })

  test.each([
    ['as it is', nasty],
    ['in JSON', JSON.stringify({ a: nasty })],
    ['in a pattern', `/^p\\.ss\\+w"or\\\\d\\$1 é<'\\/$/`],
    ['in a URL', `?p=${encodeURIComponent(nasty)}&x=1`],
    [
      'in a URL of a program that writes small digits',
      encodeURIComponent(nasty)
        .replaceAll('%2F', '%2f')
        .replaceAll('%2B', '%2b')
        .replaceAll('%3C', '%3c')
        .replaceAll('%5C', '%5c')
        .replaceAll('%C3%A9', '%c3%a9'),
    ],
    ['in a form', new URLSearchParams({ p: nasty }).toString()],
    ['in HTML', `<b>${html}</b>`],
    ['for a shell', `'${nasty.replaceAll("'", "'\\''")}'`],
    ['in HTTP Basic', `Basic ${Buffer.from(`admin:${nasty}`).toString('base64')}`],
    ['in HTTP Basic of another user', `Basic ${Buffer.from(`ad:${nasty}`).toString('base64')}`],
    ['in HTTP Basic of a third', `Basic ${Buffer.from(`bob:${nasty}`).toString('base64')}`],
  ])('is hidden %s', (_, text) => {
    const shown = secrets([nasty]).hide(text)
    expect(shown).toContain('***')
    expect(shown).not.toMatch(/ss.*w|or.*d|c3Mrdw|%C3/i)
  })

  test('is hidden in bytes that are no text, which stay as they are', () => {
    const bytes = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(nasty), Buffer.from([0x80])])
    expect(secrets([nasty]).hideBytes(bytes)).toEqual(Buffer.from([0xff, 0xfe, 0x2a, 0x2a, 0x2a, 0x80]))
  })

  test('is covered where nothing may move, also what of it lies at an edge', () => {
    const bytes = Buffer.from('cret-word, then secret-word, then secret-w')
    secrets(['secret-word']).cover(bytes)
    expect(bytes.toString()).toBe('*********, then ***********, then ********')
  })
})
