import { once } from 'node:events'
import { access, writeFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from '@jest/globals'
import { Workspace } from './emulator/step.ts'

test('a cancelled step cleans up within the grace the runner gives, and the next one continues', async () => {
  // An upstream that sends half of a file and then nothing, until it is told to go on.
  let asked = () => {}
  let wasAsked = new Promise<void>((resolve) => {
    asked = resolve
  })
  let stalls = false
  const server = createServer((_, response: ServerResponse) => {
    response.writeHead(200, { 'content-length': 8 }).write('half')
    if (!stalls) response.end('done')
    asked()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  await using workspace = await Workspace.create()
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/data.bin`
  await writeFile(
    workspace.path('appliance.yml'),
    `name: tiny\nversion: 1.0.0\nmirror:\n  file:\n    - url: ${url}\n`,
  )

  await workspace.lock()
  stalls = true
  wasAsked = new Promise<void>((resolve) => {
    asked = resolve
  })
  let interruptedAt = 0
  const cancelled = await workspace.run('mirror-deps', {}, {}, (child) => {
    wasAsked.then(() => {
      interruptedAt = performance.now()
      child.kill('SIGINT')
    })
  })
  // SIGTERM would follow after 7.5 s, SIGKILL 2.5 s later.
  expect(performance.now() - interruptedAt).toBeLessThan(7_500)
  expect(cancelled).toMatchObject({ status: 130, outputs: {} })
  expect(cancelled.stdout).toContain('::error::interrupted')
  await expect(access(workspace.path('build/.occupied'))).rejects.toThrow('ENOENT')

  stalls = false
  expect(await workspace.run('mirror-deps')).toMatchObject({ status: 0 })
  server.closeAllConnections()
  server.close()
})
