import { describe, expect, test } from '@jest/globals'
import { sha256 } from '../../../actions/lib/files/digest.ts'
import { Credentials, loginOf, unsetSecrets } from '../../../actions/mirror-deps/fetch/credentials.ts'
import { isPage, saysArchive } from '../../../actions/mirror-deps/fetch/html.ts'
import { Ledger } from '../../../actions/mirror-deps/fetch/ledger.ts'
import { parseNetrc } from '../../../actions/mirror-deps/fetch/netrc.ts'
import { pauseAfter, retryAfter, usual } from '../../../actions/mirror-deps/fetch/patience.ts'

describe('how long one waits', () => {
  test('twice as long each time, with jitter, up to a bound', () => {
    const pauses = [1, 2, 3, 9].map((attempt) => pauseAfter(attempt, usual, 0, 0.5))
    expect(pauses).toEqual([1000, 2000, 4000, 60_000])
    expect(pauseAfter(1, usual, 0, 0)).toBe(500)
    expect(pauseAfter(1, usual, 5000, 0.5)).toBe(5000)
    expect(pauseAfter(1, usual, 3_600_000, 0.5)).toBe(60_000)
  })

  test('Retry-After in seconds, or as a date by the server’s own clock', () => {
    const now = Date.parse('2026-01-01T00:00:00Z')
    expect(retryAfter('7', undefined, now)).toBe(7000)
    expect(retryAfter('Thu, 01 Jan 2026 00:00:09 GMT', undefined, now)).toBe(9000)
    const late = 'Thu, 01 Jan 2026 00:00:05 GMT'
    expect(retryAfter('Thu, 01 Jan 2026 00:00:09 GMT', late, now)).toBe(4000)
    for (const nothing of [undefined, 'soon', '-1', 'Thu, 01 Jan 1970 00:00:09 GMT'])
      expect(retryAfter(nothing, undefined, now)).toBe(0)
  })
})

describe('a web page in place of a file', () => {
  test.each([
    ['text/html', 'Please log in', true],
    ['text/html', '', false],
    ['text/html', 'PK\u0003\u0004', false],
    ['text/html', '\u001f\u008b\u0008\u0000', false],
    ['application/gzip', '<!DOCTYPE html>', true],
    ['', '\u00ef\u00bb\u00bf \n<!-- a -->\n<HTML lang=en>', true],
    ['text/plain', '<htmlish>', false],
    ['application/xml', '<?xml version="1.0"?>', false],
  ])('%s %j: %s', (type, beginning, page) => {
    expect(isPage(type, Buffer.from(beginning, 'latin1'))).toBe(page)
  })

  test.each([
    ['https://example.test/jdk.tar.gz', true],
    ['https://example.test/a.ISO?x=1', true],
    ['https://example.test/SHA256SUMS.sign', true],
    ['https://example.test/download?file=jdk.tar.gz', false],
    ['https://example.test/page.html', false],
  ])('%s names an archive: %s', (url, says) => {
    expect(saysArchive(url)).toBe(says)
  })
})

describe('credentials', () => {
  test('a netrc file, with comments, quotation marks, macros and a default', () => {
    const entries = parseNetrc(
      '# comment\nmachine one.test login me password "a \\"b\\" #c"\nmacdef init\ncd /\nmachine no\n\n' +
        'machine two.test\n\tlogin you\n\taccount x\n\tpassword y#z\ndefault login anonymous password me@',
    )
    expect(entries).toEqual([
      { machine: 'one.test', login: 'me', password: 'a "b" #c' },
      { machine: 'two.test', login: 'you', password: 'y#z' },
      { machine: undefined, login: 'anonymous', password: 'me@' },
    ])
    expect(parseNetrc('')).toEqual([])
    expect(parseNetrc('password x\nmachine')).toEqual([{ machine: undefined, login: '', password: '' }])
  })

  test('of the spec go to the origin of its url only: another port, or plain http, is another', async () => {
    const login = loginOf({ auth: { user: 'me', password: 'env:P' }, url: 'https://files.test/a' })
    const credentials = new Credentials({ NETRC: '/nowhere', P: 'x' }, () => {})
    const asked = [
      'https://files.test/b',
      'http://files.test/a',
      'https://files.test:8443/a',
      'https://other.test/a',
    ]
    const answers = await Promise.all(asked.map((url) => credentials.authorization(new URL(url), login)))
    expect(answers).toEqual(['Basic bWU6eA==', undefined, undefined, undefined])
  })

  test('what the environment lacks is named, each variable with its source', () => {
    const auth = { user: 'me', password: 'env:PASSWORD', token: 'env:TOKEN' }
    expect(unsetSecrets('file jdk', auth, { TOKEN: '' }).map(({ message }) => message)).toEqual([
      'file jdk: auth.password is in the environment variable PASSWORD, which is not set',
      'file jdk: auth.token is in the environment variable TOKEN, which is not set',
    ])
    expect(unsetSecrets('file jdk', undefined, {})).toEqual([])
  })
})

describe('the ledger', () => {
  test('counts each artefact of a source once, by what became of it first; what was fetched counts', () => {
    const ledger = new Ledger()
    const [a, b] = ['a', 'b'].map((text) => ({ sha256: sha256(text), size: 10 }))
    ledger.note('deb debian', a!, 'downloaded', 10)
    ledger.note('deb debian', a!, 'store')
    ledger.note('deb debian', b!, 'store')
    ledger.note('deb debian', b!, 'refetched', 12)
    ledger.note('tools', a!, 'shared')
    expect([...ledger.rows]).toMatchObject([
      ['deb debian', { artefacts: 2, bytes: 20, downloaded: 2, downloadedBytes: 22, found: 0, refetched: 1 }],
      ['tools', { artefacts: 1, bytes: 10, downloaded: 0, downloadedBytes: 0, found: 1, refetched: 0 }],
    ])
    expect(ledger.downloadedBytes).toBe(22)
  })
})
