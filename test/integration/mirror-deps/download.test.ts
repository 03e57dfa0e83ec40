import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createSocketServer } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from '@jest/globals'
import { sha256 } from '../../../actions/lib/files/digest.ts'
import { run } from '../../../actions/lib/process/command.ts'
import { Credentials } from '../../../actions/mirror-deps/fetch/credentials.ts'
import { type DownloadOptions, download, type Wanted } from '../../../actions/mirror-deps/fetch/download.ts'
import { scratch } from './folder.ts'
import { ranges } from './ranges.ts'
import { type Answer, breaks, bytes, hangs, status, upstream } from './upstream.ts'

const folder = await scratch()
const content = randomBytes(300_000)
const digest = sha256(content)
/** Quick to try again; slow to call a connection dead, since this computer may be busy. */
const quick = { pause: 5, longest: 200, stall: 60_000, connect: 60_000 }
const signal = new AbortController().signal

/** A request for what follows a beginning; what was on its way when the connection broke may be lost. */
const later = /^bytes=[1-9]\d{3,}-$/

let count = 0
/** A folder for one download, and its options. */
function place(more: Partial<DownloadOptions> = {}) {
  const home = join(folder, String(++count))
  const path = join(home, 'store/object')
  const partials = join(home, 'partial')
  const options = { signal, patience: quick, ...more, partials }
  return { path, options, partials: () => readdir(options.partials).catch(() => []) }
}

function jdk(...urls: string[]): Wanted {
  return { title: 'file jdk', urls, sha256: digest, size: content.length }
}

describe('a broken download', () => {
  test('goes on where it stopped, if the file is still the same', async () => {
    const file = ranges(content, { etag: '"1"', breaks: [100_000, 50_000] })
    await using from = await upstream({ '/a': file.answer })
    const { path, options, partials } = place()
    const got = await download(jdk(`${from.url}/a`), path, options)
    expect(got).toEqual({ sha256: digest, size: 300_000, transferred: 300_000 })
    expect(file.asked.map((headers) => [headers.range, headers['if-range']])).toEqual([
      [undefined, undefined],
      [expect.stringMatching(later), '"1"'],
      [expect.stringMatching(later), '"1"'],
    ])
    expect(sha256(await readFile(path))).toBe(digest)
    expect(await partials()).toEqual([])
  })

  test('goes on in the next run, too, and counts what was here', async () => {
    const file = ranges(content, { etag: '"1"', breaks: [100_000] })
    await using from = await upstream({ '/a': file.answer })
    const counted: number[][] = []
    const { path, options, partials } = place({ onBytes: (...bytes) => void counted.push(bytes) })
    const once = { ...options, patience: { ...quick, tries: 1 } }
    await expect(download(jdk(`${from.url}/a`), path, once)).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringMatching(
        /^file jdk: \S+\/a could not be fetched \(the connection broke after \d+ of 300000 bytes \(other side closed\); tried once\)$/,
      ),
    })
    expect((await partials()).sort()).toEqual([`${digest}.partial`, `${digest}.partial.json`])
    const { size } = await stat(join(options.partials, `${digest}.partial`))
    expect(size).toBeGreaterThan(1000)
    counted.length = 0
    const got = await download(jdk(`${from.url}/a`), path, options)
    expect(got.transferred).toBe(300_000 - size)
    expect(counted[0]).toEqual([size, 0])
    expect(counted.reduce((sum, [bytes]) => sum + bytes!, 0)).toBe(300_000)
  })

  test('of a file that nobody has told the digest of, goes on only where the server vouches for it', async () => {
    for (const etag of ['"1"', 'W/"1"']) {
      const file = ranges(content, { etag, breaks: [100_000] })
      await using from = await upstream({ '/a': file.answer })
      const { options, path } = place()
      const wanted = { title: 'file jdk', urls: [`${from.url}/a`] }
      const got = await download(wanted, (sha256) => `${path}-${sha256}`, options)
      expect(got.sha256).toBe(digest)
      expect(file.asked.map((headers) => headers.range)).toEqual([
        undefined,
        etag === '"1"' ? expect.stringMatching(later) : undefined,
      ])
      expect(sha256(await readFile(`${path}-${digest}`))).toBe(digest)
    }
  })

  test('begins anew when the file was changed in between', async () => {
    const older = randomBytes(300_000)
    let now = older
    let etag = '"1"'
    const answer: Answer = (request, response) =>
      ranges(now, { etag, breaks: now === older ? [100_000] : [] }).answer(request, response)
    await using from = await upstream({
      '/a': (request, response) => {
        answer(request, response)
        now = content
        etag = '"2"'
      },
    })
    const { path, options } = place()
    expect((await download(jdk(`${from.url}/a`), path, options)).transferred).toBeGreaterThan(300_000)
    expect(sha256(await readFile(path))).toBe(digest)
  })

  test('whose server vouches for a file that it changed all the same, is fetched anew, once', async () => {
    const other = Buffer.from(content)
    other[10] = other[10]! ^ 1
    let asked = 0
    const file = ranges(() => (asked++ === 0 ? other : content), { etag: '"1"', breaks: [100_000] })
    await using from = await upstream({ '/a': file.answer })
    const { path, options } = place()
    expect((await download(jdk(`${from.url}/a`), path, options)).transferred).toBe(600_000)
    expect(file.asked.map((headers) => headers.range)).toEqual([
      undefined,
      expect.stringMatching(later),
      undefined,
    ])
    expect(sha256(await readFile(path))).toBe(digest)

    const liar = ranges(other, { etag: '"1"', breaks: [100_000] })
    await using lies = await upstream({ '/a': liar.answer })
    const second = place()
    await expect(download(jdk(`${lies.url}/a`), second.path, second.options)).rejects.toMatchObject({
      code: 'digest-mismatch',
    })
    expect(liar.asked).toHaveLength(3)
    expect(await second.partials()).toEqual([])
  })

  test('begins anew when the server gives another part than was asked for', async () => {
    const wrong: Answer = (_, response) =>
      void response
        .writeHead(206, { 'content-range': 'bytes 0-299999/300000', 'content-length': 300_000 })
        .end(content)
    const broken = ranges(content, { etag: '"1"', breaks: [100_000] }).answer
    await using from = await upstream({ '/a': [broken, wrong, bytes(content)] })
    const { path, options } = place()
    await download(jdk(`${from.url}/a`), path, options)
    expect(sha256(await readFile(path))).toBe(digest)
  })

  test('that is longer than the file, or whole already, is seen to without a request or anew', async () => {
    await using from = await upstream({ '/a': ranges(content).answer })
    const whole = place()
    await mkdir(whole.options.partials, { recursive: true })
    await writeFile(join(whole.options.partials, `${digest}.partial`), content)
    expect((await download(jdk(`${from.url}/a`), whole.path, whole.options)).transferred).toBe(0)
    expect(from.asked).toEqual([])
    const long = place()
    await mkdir(long.options.partials, { recursive: true })
    await writeFile(join(long.options.partials, `${digest}.partial`), Buffer.alloc(400_000))
    const { size: _, ...unsized } = jdk(`${from.url}/a`)
    expect((await download(unsized, long.path, long.options)).transferred).toBe(300_000)
    expect(from.asked).toHaveLength(2)
  })

  test('goes on from another address', async () => {
    const first = ranges(content, { etag: '"1"', breaks: [100_000] })
    const second = ranges(content, { etag: '"other"' })
    await using from = await upstream({ '/a': first.answer, '/b': second.answer })
    const { path, options } = place({ patience: { ...quick, tries: 1 } })
    const got = await download(jdk(`${from.url}/a`, `${from.url}/b`), path, options)
    expect(got.transferred).toBe(300_000)
    expect(second.asked.map((headers) => [headers.range, headers['if-range']])).toEqual([
      [expect.stringMatching(later), undefined],
    ])
  })

  test('of a large file may break more often than it is tried, while it gets on', async () => {
    const large = randomBytes(8 << 20)
    const file = ranges(large, { etag: '"1"', breaks: Array.from({ length: 5 }, () => 3 << 19) })
    await using from = await upstream({ '/a': file.answer })
    const { path, options } = place({ patience: { ...quick, tries: 2 } })
    const wanted = { title: 'iso debian', urls: [`${from.url}/a`], sha256: sha256(large), size: large.length }
    expect((await download(wanted, path, options)).size).toBe(8 << 20)
    expect(file.asked).toHaveLength(6)
  })
})

describe('what an address does wrong', () => {
  const wrong = (answer: Answer | Answer[], name = 'jdk', tries = 1) => {
    return { answers: { [`/${name}`]: answer }, name, tries }
  }
  const html: Answer = (_, response) =>
    void response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('Please log in')
  const page: Answer = (_, response) =>
    void response
      .writeHead(200, { 'content-type': 'application/x-gzip' })
      .end('<!-- hello -->\n<!DOCTYPE html><html></html>')
  const chunked: Answer = (_, response) => {
    response.writeHead(200)
    response.write(content.subarray(0, 1000), () => setTimeout(() => response.destroy(), 20))
  }
  test.each([
    ['HTTP 500', wrong(status(500)), 'could not be fetched (HTTP 500; tried once)'],
    ['HTTP 401', wrong(status(401), 'jdk', 4), 'could not be fetched (HTTP 401; tried once)'],
    [
      'a page to log in at',
      wrong(html, 'jdk.tar.gz', 4),
      'it gives an HTML page (a login page?); tried once',
    ],
    ['a page in disguise', wrong(page, 'jdk.tar.gz', 4), 'it gives an HTML page (a login page?); tried once'],
    ['a truncated body', wrong(breaks('abc')), 'the connection broke after 3 of 6 bytes (other side closed)'],
    ['a truncated body of unknown length', wrong(chunked), 'the connection broke after 1000 of 300000 bytes'],
    ['a stalled body', wrong(hangs('abc')), 'after 3 of 6 bytes (nothing arrived for 2 s)'],
    ['no answer', wrong(() => {}), 'could not be fetched (no answer within 2 s; tried once)'],
    [
      'redirects in a circle',
      wrong((_, response) => void response.writeHead(302, { location: '/jdk' }).end(), 'jdk', 4),
      'it redirects more than 10 times; tried once',
    ],
    [
      'a redirect to a file of this computer',
      wrong(
        (_, response) => void response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
        'jdk',
        4,
      ),
      'it redirects to file://, which is not followed; tried once',
    ],
  ])('%s', async (_, { answers, name, tries }, said) => {
    await using from = await upstream(answers)
    const stall = said.includes(' 2 s') ? 2000 : quick.stall
    const { path, options } = place({ patience: { ...quick, tries, stall } })
    const { size: _size, ...wanted } = jdk(`${from.url}/${name}`)
    const sized = said.includes('300000') ? jdk(`${from.url}/${name}`) : wanted
    await expect(download(sized, path, options)).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining(said),
    })
  })

  test('speaking something else than HTTP', async () => {
    const server = createSocketServer((socket) => void socket.resume().end('SSH-2.0-OpenSSH_9.2\r\n'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jdk`
    const { path, options } = place({ patience: { ...quick, tries: 1 } })
    await expect(download(jdk(url), path, options)).rejects.toMatchObject({
      message: expect.stringContaining('it does not speak HTTP (HPE_INVALID_CONSTANT); tried once'),
    })
    await new Promise((resolve) => server.close(resolve))
  })

  test('another length: both are named; a file that is mislabelled as HTML is none', async () => {
    const { length } = content
    await using from = await upstream({
      '/a.tgz': bytes('alpha'),
      '/b.tgz': (_, response) =>
        void response.writeHead(200, { 'content-type': 'text/html', 'content-length': length }).end(content),
    })
    const first = place()
    await expect(download(jdk(`${from.url}/a.tgz`), first.path, first.options)).rejects.toMatchObject({
      code: 'digest-mismatch',
      message: expect.stringMatching(/a\.tgz gives other bytes .* expected 300000 bytes .*, got 5 bytes$/),
    })
    const second = place()
    expect((await download(jdk(`${from.url}/b.tgz`), second.path, second.options)).sha256).toBe(digest)
  })

  const asRoot = process.getuid?.() === 0 ? test : test.skip
  asRoot('a read-only folder is named before anybody is asked (only root can mount one)', async () => {
    await using from = await upstream({ '/a': bytes(content) })
    const { path, options } = place()
    const disk = join(folder, 'read-only')
    await mkdir(disk)
    await run('mount', ['-t', 'tmpfs', '-o', 'ro,size=64k', 'appliance-test', disk])
    try {
      const there = join(disk, 'store/object')
      await expect(download(jdk(`${from.url}/a`), there, options)).rejects.toMatchObject({
        code: 'missing-tool',
        message: `file jdk cannot be written to ${join(disk, 'store')}: its file system is read-only`,
      })
    } finally {
      await run('umount', [disk])
    }
    expect(from.asked).toEqual([])
    expect(await readdir(join(path, '..')).catch(() => [])).toEqual([])
  })
})

describe('how long one waits', () => {
  test('as long as the server asks, but not longer than one may', async () => {
    const busy =
      (after: string): Answer =>
      (_, response) =>
        void response.writeHead(429, { 'retry-after': after }).end()
    for (const [after, least, most] of [
      ['1', 950, 1500],
      ['3600', 1150, 1800],
    ] as const) {
      await using from = await upstream({ '/a': [busy(after), bytes(content)] })
      const { path, options } = place({ patience: { ...quick, longest: 1200 } })
      const began = performance.now()
      await download(jdk(`${from.url}/a`), path, options)
      expect(performance.now() - began).toBeGreaterThan(least)
      expect(performance.now() - began).toBeLessThan(most)
    }
  })
})

describe('credentials', () => {
  const wants =
    (authorization: string | undefined, then: Answer): Answer =>
    (request, response) =>
      request.headers.authorization === authorization
        ? then(request, response)
        : status(401)(request, response)
  const to =
    (location: string): Answer =>
    (_, response) =>
      void response.writeHead(302, { location }).end()
  const netrc = async (text: string) => {
    const path = join(folder, `netrc${++count}`)
    await writeFile(path, text)
    return { NETRC: path }
  }

  test('of the spec are sent to their origin, and to nobody it redirects to; each is masked first', async () => {
    await using elsewhere = await upstream({ '/b': wants(undefined, bytes(content)) })
    await using from = await upstream({
      '/a': wants('Bearer t0ken', to('/moved')),
      '/moved': wants('Bearer t0ken', to(`${elsewhere.url}/b`)),
    })
    const masked: string[] = []
    const env = { ...(await netrc('')), TOKEN: 't0ken' }
    const credentials = new Credentials(env, (secret) => void masked.push(secret))
    const { path, options } = place({ credentials })
    const login = { auth: { token: 'env:TOKEN' }, origin: from.url }
    await download({ ...jdk(`${from.url}/a`), login }, path, options)
    expect(masked).toContain('t0ken')
    expect(from.asked).toEqual(['/a', '/moved'])
    expect(elsewhere.asked).toEqual(['/b'])
  })

  test('of ~/.netrc go to the hosts they name', async () => {
    const basic = `Basic ${Buffer.from('me:pa ss').toString('base64')}`
    await using from = await upstream({ '/a': wants(basic, bytes(content)) })
    const env = await netrc(
      '# mine\nmachine other.test login x password y\nmachine 127.0.0.1\n  login me password "pa ss"\n',
    )
    const masked: string[] = []
    const { path, options } = place({ credentials: new Credentials(env, (one) => void masked.push(one)) })
    await download(jdk(`${from.url}/a`), path, options)
    expect(masked).toEqual(['pa ss', basic.slice(6)])
  })

  test('that nobody wants are refused in words that hold none', async () => {
    await using from = await upstream({ '/a': status(403) })
    const { path, options } = place({
      credentials: new Credentials({ HOME: folder, P: 'hunter2' }, () => {}),
    })
    const login = { auth: { user: 'me', password: 'env:P' }, origin: from.url }
    const refused = download({ ...jdk(`${from.url}/a`), login }, path, options)
    await expect(refused).rejects.toMatchObject({
      message: `file jdk: ${from.url}/a could not be fetched (HTTP 403; tried once)`,
      hint: expect.stringContaining('auth:'),
    })
  })
})

describe('ways', () => {
  test('a proxy of the environment is asked for what is not encrypted, with its own credentials', async () => {
    await using from = await upstream({ '/a': bytes(content) })
    const asked: (string | undefined)[][] = []
    const proxy = createServer(async (request, response) => {
      asked.push([request.url, request.headers['proxy-authorization']])
      const answer = await fetch(request.url!.replace('http://upstream.test', from.url))
      response.end(Buffer.from(await answer.arrayBuffer()))
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    const { port } = proxy.address() as AddressInfo
    process.env.http_proxy = `http://me:secret@127.0.0.1:${port}`
    process.env.no_proxy = '127.0.0.1'
    try {
      const { path, options } = place()
      await download(jdk('http://upstream.test/a'), path, options)
      const direct = place()
      await download(jdk(`${from.url}/a`), direct.path, direct.options)
    } finally {
      delete process.env.http_proxy
      delete process.env.no_proxy
      proxy.closeAllConnections()
      await new Promise((resolve) => proxy.close(resolve))
    }
    expect(asked).toEqual([
      ['http://upstream.test/a', `Basic ${Buffer.from('me:secret').toString('base64')}`],
    ])
  })

  test('a proxy that hangs up, or wants to know who asks, is given up', async () => {
    const answers = ['', 'HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n']
    for (const [index, answer] of answers.entries()) {
      const proxy = createSocketServer((socket) => {
        socket.on('error', () => {})
        socket.once('data', () => socket.end(answer))
      })
      await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
      process.env.https_proxy = `http://me:hunter2@127.0.0.1:${(proxy.address() as AddressInfo).port}`
      try {
        const { path, options } = place({ patience: { ...quick, tries: 1 } })
        const refused = download(jdk('https://upstream.test/a'), path, options)
        await expect(refused).rejects.toMatchObject({
          code: 'unreachable',
          message: expect.stringContaining(
            index === 0 ? 'Proxy connection ended before receiving CONNECT response' : 'HTTP 407',
          ),
        })
        await expect(refused).rejects.not.toThrow(/hunter2/)
      } finally {
        delete process.env.https_proxy
        await new Promise((resolve) => proxy.close(resolve))
      }
    }
  })

  test('a file of this computer', async () => {
    const here = join(folder, 'a file')
    await writeFile(here, content)
    const { path, options } = place()
    const url = pathToFileURL(here).href
    expect((await download(jdk(url), path, options)).sha256).toBe(digest)
    await expect(download(jdk(`${url}s`), path, options)).rejects.toMatchObject({ code: 'gone' })
    await expect(download(jdk(pathToFileURL(folder).href), path, options)).rejects.toMatchObject({
      message: expect.stringContaining('could not be fetched (it is no file; tried once)'),
    })
  })
})
