// A web server for the benches' upstreams, alone in its process: node mirror-upstream.js FOLDER; prints its address.
import { createReadStream, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'

const [folder] = process.argv.slice(2)
const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  const path = join(folder, decodeURIComponent(new URL(request.url, 'http://localhost').pathname))
  const status = statSync(path, { throwIfNoEntry: false })
  if (!status?.isFile()) return void response.writeHead(404, { 'content-length': 0 }).end()
  const date = new Date(Math.floor(status.mtimeMs / 1000) * 1000).toUTCString()
  response.writeHead(200, { 'content-length': status.size, 'last-modified': date })
  if (request.method === 'HEAD') return void response.end()
  createReadStream(path, { highWaterMark: 1 << 18 }).pipe(response)
})
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`))
