import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { Agent, get, type IncomingHttpHeaders, request } from 'node:http'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { serveTree } from '../../../actions/lib/mirror/serve.ts'
import { scratch } from './folder.ts'

const folder = await scratch()
const root = join(folder, 'tree')
await mkdir(join(root, 'deb'), { recursive: true })
await writeFile(join(root, 'deb/a+b~1.deb'), '0123456789')
await writeFile(join(root, 'empty'), '')
await writeFile(join(folder, 'secret'), 'secret')
await symlink('../secret', join(root, 'out'))
await symlink(folder, join(root, 'up'))

interface Got {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

/** Asks for the path as it is written; fetch() and the like would tidy it up first. */
function ask(port: number, path: string, more: { method?: string; range?: string } = {}): Promise<Got> {
  return new Promise((resolve, reject) => {
    const headers = more.range ? { range: more.range } : {}
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
    '/deb',
    '/',
    '/empty/',
    '/none',
    '/%00',
    '/%E0%A4%A',
    '//127.0.0.1/secret',
  ])('nothing else: %s', async (path) => {
    await using server = await serveTree(root, '127.0.0.1', 0)
    expect(await ask(server.port, path)).toMatchObject({ status: 404, body: '' })
    expect([...server.missed]).toEqual([[path, 1]])
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
    expect(performance.now() - began).toBeLessThan(1000)
    await expect(ask(server.port, '/empty')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })
})
