import { createHash } from 'node:crypto'
import { mkdir, readdir, readlink, symlink, utimes, writeFile } from 'node:fs/promises'
import { Agent, get, type IncomingHttpHeaders, request } from 'node:http'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { type Access, accessLine } from '../../../actions/lib/mirror/serve/access.ts'
import { serveTree } from '../../../actions/lib/mirror/serve.ts'
import { scratch } from './folder.ts'

const folder = await scratch()
const root = join(folder, 'tree')
await mkdir(join(root, 'deb'), { recursive: true })
await writeFile(join(root, 'deb/a+b~1.deb'), '0123456789')
await writeFile(join(root, 'empty'), '')
await mkdir(join(root, 'gem/app/info'), { recursive: true })
await writeFile(join(root, 'gem/app/info/rack'), '---\n3.0.0 |checksum:00\n')
await mkdir(join(root, 'odd <names>'))
await writeFile(join(root, 'odd <names>/%2e"é'), 'odd')
await writeFile(join(root, 'large'), Buffer.alloc(32 << 20))
await utimes(join(root, 'deb/a+b~1.deb'), 1_600_000_000, 1_600_000_000)
await writeFile(join(folder, 'secret'), 'secret')
await symlink('../secret', join(root, 'out'))
await symlink(folder, join(root, 'up'))

interface Got {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

interface Asking {
  method?: string
  range?: string
  headers?: Record<string, string>
}

/** Asks for the path as it is written; fetch() and the like would tidy it up first. */
function ask(port: number, path: string, more: Asking = {}): Promise<Got> {
  return new Promise((resolve, reject) => {
    const headers = { ...(more.range ? { range: more.range } : {}), ...more.headers }
    const asked = request({ host: '127.0.0.1', port, path, headers, method: more.method ?? 'GET' }, (got) => {
      let body = ''
      got.on('data', (chunk: Buffer) => {
        body += chunk.toString()
      })
      got.on('end', () => resolve({ status: got.statusCode!, headers: got.headers, body }))
    })
    asked.on('error', reject)
    asked.end()
  })
}

describe('the mirror over HTTP', () => {
  test('gives files, by encoded names too, and their heads', async () => {
    await using server = await serveTree(root, '127.0.0.1', 0)
    for (const path of ['/deb/a+b~1.deb', '/deb/a%2bb%7e1.deb', '/deb/a+b~1.deb?x=1'])
      expect(await ask(server.port, path)).toMatchObject({ status: 200, body: '0123456789' })
    const head = await ask(server.port, '/deb/a+b~1.deb', { method: 'HEAD' })
    expect(head).toMatchObject({ status: 200, body: '', headers: { 'content-length': '10' } })
    expect(await ask(server.port, '/empty')).toMatchObject({ status: 200, body: '' })
  })

  test.each([
    ['bytes=2-4', 206, '234', 'bytes 2-4/10'],
    ['bytes=7-', 206, '789', 'bytes 7-9/10'],
    ['bytes=8-99', 206, '89', 'bytes 8-9/10'],
    ['bytes=-3', 206, '789', 'bytes 7-9/10'],
    ['bytes=-99', 206, '0123456789', 'bytes 0-9/10'],
    ['bytes=10-', 416, '', 'bytes */10'],
    ['bytes=-0', 416, '', 'bytes */10'],
    ['bytes=0-1,3-4', 200, '0123456789', undefined],
    ['lines=1-2', 200, '0123456789', undefined],
  ])('a range: %s', async (range, status, body, contentRange) => {
    await using server = await serveTree(root, '127.0.0.1', 0)
    const got = await ask(server.port, '/deb/a+b~1.deb', { range })
    expect(got).toMatchObject({ status, body })
    expect(got.headers['content-range']).toBe(contentRange)
  })

  test.each([
    '/../secret',
    '/deb/../../secret',
    '/%2e%2e/secret',
    '/deb/..%2f..%2fsecret',
    '/out',
    '/up/secret',
    '/up/',
    '/empty/',
    '/deb/./a+b~1.deb',
    '/deb/../empty',
    '/deb%2fa+b~1.deb',
    '/%252e%252e/secret',
    '/..%5c..%5csecret',
    '/..\\secret',
    '/deb/a+b~1.deb/x',
    '/deb/a+b~1.deb%00.html',
    'http://127.0.0.1/empty',
    `/${'x'.repeat(300)}`,
    '/none',
    '/%00',
    '/%E0%A4%A',
    '//127.0.0.1/secret',
  ])('nothing else: %s', async (path) => {
    await using server = await serveTree(root, '127.0.0.1', 0)
    expect(await ask(server.port, path)).toMatchObject({ status: 404, body: '' })
    expect([...server.missed]).toEqual([[path, 1]])
  })

  test('folders are lists for people, whatever their files are called', async () => {
    await using server = await serveTree(root, '127.0.0.1', 0)
    expect(await ask(server.port, '/odd%20%3Cnames%3E')).toMatchObject({
      status: 301,
      headers: { location: '/odd%20%3Cnames%3E/' },
    })
    const { status, body, headers } = await ask(server.port, '/odd%20%3Cnames%3E/')
    expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8'])
    expect(body).not.toContain('<names>')
    const [, link] = /<a href="\.\/([^"]+)">/.exec(body)!
    expect(await ask(server.port, `/odd%20%3Cnames%3E/${link}`)).toMatchObject({ status: 200, body: 'odd' })
    const top = await ask(server.port, '/')
    expect(top.body).toContain('<a href="./deb/">deb/</a>')
    expect(top.body).not.toMatch(/out|up/) // links lead nowhere, so they are not shown
    expect((await ask(server.port, '/', { method: 'HEAD' })).body).toBe('')
    expect(server.missed.size).toBe(0)
  })

  test('what a client has already is not sent again, and not mixed with what is there now', async () => {
    await using server = await serveTree(root, '127.0.0.1', 0)
    const path = '/deb/a+b~1.deb'
    const first = await ask(server.port, path)
    const { etag, 'last-modified': modified } = first.headers as Record<string, string>
    expect(etag).toMatch(/^"[^"]+"$/) // a strong one: If-Range takes no other
    expect(modified).toBe('Sun, 13 Sep 2020 12:26:40 GMT')
    const having = (headers: Record<string, string>) => ask(server.port, path, { headers })
    expect(await having({ 'if-none-match': etag! })).toMatchObject({ status: 304, body: '' })
    expect(await having({ 'if-modified-since': modified! })).toMatchObject({ status: 304, body: '' })
    expect((await having({ 'if-modified-since': 'Sun, 13 Sep 2020 12:26:39 GMT' })).status).toBe(200)
    expect((await having({ 'if-match': '"other"' })).status).toBe(412)
    const range = 'bytes=7-'
    expect(await having({ range, 'if-range': etag! })).toMatchObject({ status: 206, body: '789' })
    expect(await having({ range, 'if-range': '"other"' })).toMatchObject({ status: 200, body: '0123456789' })
    await writeFile(join(root, 'changing'), 'one')
    const one = await ask(server.port, '/changing')
    await writeFile(join(root, 'changing'), 'two')
    const two = await ask(server.port, '/changing', { headers: { 'if-none-match': one.headers.etag! } })
    expect(two).toMatchObject({ status: 200, body: 'two' })
  })

  test('a compact index has the validators that Bundler, old and new, compares its copy with', async () => {
    await using server = await serveTree(root, '127.0.0.1', 0)
    const { headers, body } = await ask(server.port, '/gem/app/info/rack')
    const digest = (kind: string) => createHash(kind).update(body)
    expect(headers.etag).toBe(`"${digest('md5').digest('hex')}"`)
    expect(headers['repr-digest']).toBe(`sha-256=:${digest('sha256').digest('base64')}:`)
    const again = { headers: { 'if-none-match': headers.etag! } }
    expect((await ask(server.port, '/gem/app/info/rack', again)).status).toBe(304)
  })

  test.each([
    ['a.deb', 'application/vnd.debian.binary-package'],
    ['a.rpm', 'application/x-rpm'],
    ['a.gem', 'application/octet-stream'],
    ['Packages.gz', 'application/gzip'],
    ['Packages.xz', 'application/x-xz'],
    ['primary.xml.zst', 'application/zstd'],
    ['repomd.xml', 'application/xml'],
    ['a.iso', 'application/x-iso9660-image'],
    ['a.json', 'application/json; charset=utf-8'],
    ['a.yaml', 'application/yaml'],
    ['InRelease', 'text/plain; charset=utf-8'],
    ['none', 'application/octet-stream'],
  ])('the type of %s is %s, and it has no encoding', async (name, type) => {
    await mkdir(join(root, 'types'), { recursive: true })
    await writeFile(join(root, 'types', name), 'x')
    await using server = await serveTree(root, '127.0.0.1', 0)
    const { headers } = await ask(server.port, `/types/${name}`)
    expect([headers['content-type'], headers['content-encoding']]).toEqual([type, undefined])
  })

  test('every request is told of when it is over', async () => {
    const told: Access[] = []
    await using server = await serveTree(root, '127.0.0.1', 0, { onAccess: (one) => told.push(one) })
    await ask(server.port, '/deb/a+b~1.deb', { range: 'bytes=2-4' })
    await ask(server.port, '/deb/a+b~1.deb', { method: 'HEAD' })
    await ask(server.port, '/none?q')
    await ask(server.port, '/empty', { method: 'PUT' })
    expect(told.map(accessLine)).toEqual([
      'GET /deb/a+b~1.deb 206 3',
      'HEAD /deb/a+b~1.deb 200 0',
      'GET /none?q 404 0',
      'PUT /empty 405 0',
    ])
  })

  test('downloads that clients give up leave nothing open', async () => {
    const told: Access[] = []
    await using server = await serveTree(root, '127.0.0.1', 0, { onAccess: (one) => told.push(one) })
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        await new Promise<void>((resolve) => {
          get({ host: '127.0.0.1', port: server.port, path: '/large', agent: false }, (got) => {
            got.once('data', () => got.destroy())
            got.on('error', () => {})
            got.on('close', () => resolve())
          })
        })
      }),
    )
    await until(() => told.length === 20)
    expect(told.map(({ status, whole }) => [status, whole])).toEqual(Array(20).fill([200, false]))
    await until(async () => !(await openFiles()).includes(join(root, 'large')))
  })

  test('an address that is taken is said to be', async () => {
    await using server = await serveTree(root, '127.0.0.1', 0)
    await expect(serveTree(root, '127.0.0.1', server.port)).rejects.toMatchObject({
      code: 'input',
      message: `cannot listen at 127.0.0.1:${server.port}: another program listens there`,
    })
  })

  test('nothing can be written', async () => {
    await using server = await serveTree(root, '127.0.0.1', 0)
    for (const method of ['PUT', 'POST', 'DELETE'])
      expect((await ask(server.port, '/empty', { method })).status).toBe(405)
  })

  test('many requests go over one connection', async () => {
    await using server = await serveTree(root, '127.0.0.1', 0)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const ports = new Set<number>()
    for (const path of ['/empty', '/none', '/deb/a+b~1.deb'])
      await new Promise<void>((resolve, reject) => {
        get({ host: '127.0.0.1', port: server.port, path, agent }, (got) => {
          ports.add(got.socket.localPort!)
          got.resume().on('end', resolve)
        }).on('error', reject)
      })
    agent.destroy()
    expect(ports.size).toBe(1)
  })

  test('it ends at once, also with a connection open', async () => {
    const server = await serveTree(root, '127.0.0.1', 0)
    const agent = new Agent({ keepAlive: true })
    await new Promise<void>((resolve) => {
      get({ host: '127.0.0.1', port: server.port, path: '/empty', agent }, (got) => {
        got.resume().on('end', resolve)
      })
    })
    const began = performance.now()
    await server[Symbol.asyncDispose]()
    expect(performance.now() - began).toBeLessThan(4000) // an idle connection is closed after 5 s by itself
    await expect(ask(server.port, '/empty')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })
})

async function openFiles(): Promise<string[]> {
  const links = (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ''))
  return await Promise.all(links)
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('it never came to that')
}
