import { brotliDecompressSync } from 'node:zlib'
import type { ParseResult } from '@ruby/prism/src/deserialize.js'
import { parsePrism } from '@ruby/prism/src/parsePrism.js'
import { prismWasm, STACK_PAGES } from './prism-wasm.ts'

/** What is used of WebAssembly: TypeScript describes it only for browsers. */
interface WebAssemblyOfNode {
  Module: new (bytes: Uint8Array) => object
  Instance: new (module: object, imports: object) => { exports: Record<string, unknown> }
}

let module: object | undefined
let parser: Record<string, unknown> | undefined

/**
 * The parser, as Prism's own `loadPrism` makes it but with a system that has nothing in it: no files, no clock, no
 * environment. Whatever a definition holds, the parser could not reach out. (`loadPrism` needs node:wasi, which
 * greets every run with an ExperimentalWarning.)
 */
function start(): Record<string, unknown> {
  const { Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyOfNode }).WebAssembly
  module ??= new Module(brotliDecompressSync(Buffer.from(prismWasm, 'base64')))
  const nothing = new Proxy({}, { get: (_, name) => () => refuseCall(String(name)) })
  const instance = new Instance(module, { wasi_snapshot_preview1: nothing })
  ;(instance.exports.memory as { grow(pages: number): number }).grow(STACK_PAGES)
  ;(instance.exports._initialize as () => void)()
  return instance.exports
}

/** WASI's answer to a call: 0 is success (stack protection asks for randomness and is content with zeros). */
function refuseCall(name: string): number {
  if (name === 'proc_exit') throw new Error('the parser gave up')
  return name === 'random_get' ? 0 : 52 // ENOSYS
}

/**
 * Parses Ruby and runs none of it.
 *
 * @param source a program of at most some MB
 * @returns the syntax tree with its syntax errors, or `undefined` when it is nested too deeply to be parsed
 */
export function parseRuby(source: string): ParseResult | undefined {
  parser ??= start()
  try {
    return parsePrism(parser as never, source)
  } catch {
    // Out of stack, here or inside the WebAssembly, whose memory may be in any state now.
    parser = undefined
    return undefined
  }
}
