// One look at every byte of a store, alone in its process: node mirror-once.js STORE; prints bytes and milliseconds.
import { readdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { presentOf, verifiedOf } from '../../build/js/actions/mirror-deps/fetch/present.js'

const [store] = process.argv.slice(2)
const wanted = readdirSync(join(store, 'sha256'), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => ({ sha256: basename(entry.name), size: statSync(join(entry.parentPath, entry.name)).size }))
const signal = new AbortController().signal
const began = performance.now()
const found = await presentOf(wanted, await verifiedOf(store), { store, signal, verify: true })
const milliseconds = performance.now() - began
for (const [digest, { state }] of found) if (state !== 'whole') throw new Error(`${digest} is ${state}`)
console.log(JSON.stringify({ bytes: wanted.reduce((sum, { size }) => sum + size, 0), milliseconds }))
