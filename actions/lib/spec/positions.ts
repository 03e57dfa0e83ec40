import {
  type Document,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
  type YAMLError,
  type YAMLMap,
} from 'yaml'
import type { z } from 'zod'
import type { Fault } from '../errors/fault.ts'
import { flatIssues } from './issues.ts'

/** A YAML file with the places of everything in it. */
export interface Positioned {
  /** Undefined when the text is no YAML. */
  value: unknown
  /** Errors of syntax, and keys that are there twice. */
  faults: Fault[]
  /** 1-based place of what lies at a path; of its nearest ancestor when it is not there. */
  place(path: readonly PropertyKey[]): { line: number; column: number }
  /** A fault at a path, which its message names. */
  fault(path: readonly PropertyKey[], message: string): Fault
}

/**
 * Parses YAML 1.2 (JSON is some, too).
 *
 * @param file what faults call it
 */
export function parseYaml(text: string, file: string): Positioned {
  const lineCounter = new LineCounter()
  // Keys that are there twice are found below, with the place of the first.
  const document = parseDocument(text, {
    lineCounter,
    prettyErrors: false,
    uniqueKeys: false,
    logLevel: 'error',
  })
  const at = (offset: number) => {
    const { line, col } = lineCounter.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }
  const place = (path: readonly PropertyKey[]) => at(offsetOf(document, path))
  const syntax = [...document.errors, ...document.warnings].map(
    (error): Fault => ({ file, ...at(error.pos[0]), message: syntaxMessage(error) }),
  )
  const found = [...keyFaults(document, at), ...aliasFaults(document)].map(
    ({ offset, message }): Fault => ({ file, ...at(offset), message }),
  )
  const { value, fault } = syntax.length > 0 ? {} : content(document)
  if (fault && found.length === 0) found.push({ file, line: 1, column: 1, message: fault })
  return {
    value,
    faults: [...syntax, ...found],
    place,
    fault: (path, message) => ({ file, ...place(path), message: withSubject(path, message) }),
  }
}

function syntaxMessage({ code, message }: YAMLError): string {
  if (code === 'MULTIPLE_DOCS') return 'a second document begins here; one file holds one'
  return message.replace(/\s*\n\s*/g, ' ')
}

function content(document: Document): { value?: unknown; fault?: string } {
  try {
    return { value: document.toJS() }
  } catch (error) {
    // Aliases that lead nowhere, into themselves, or to more than any memory holds.
    return { fault: (error as Error).message.replace(/\s*\n\s*/g, ' ') }
  }
}

interface Found {
  offset: number
  message: string
}

/** Keys that are there twice in a map, and keys that are no words. */
function keyFaults(document: Document, at: (offset: number) => { line: number }): Found[] {
  const found: Found[] = []
  visit(document, {
    Map(_, map: YAMLMap) {
      const first = new Map<string, number>()
      for (const { key } of map.items) {
        const offset = isNode(key) ? (key.range?.[0] ?? 0) : 0
        if (!isScalar(key)) {
          found.push({ offset, message: 'expected a word as key' })
          continue
        }
        const name = String(key.value)
        const before = first.get(name)
        if (before === undefined) first.set(name, offset)
        else
          found.push({
            offset,
            message: `key ${name} is here twice; the first is on line ${at(before).line}`,
          })
      }
    },
  })
  return found
}

function aliasFaults(document: Document): Found[] {
  const found: Found[] = []
  visit(document, {
    Alias(_, alias) {
      if (!alias.resolve(document))
        found.push({
          offset: alias.range?.[0] ?? 0,
          message: `*${alias.source} names no anchor before it; quote it if it is meant as text`,
        })
    },
  })
  return found
}

function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  let node: unknown = document.contents
  let offset = document.contents?.range?.[0] ?? 0
  for (const key of path) {
    const next = child(node, key)
    if (!next) break
    offset = next.offset
    node = next.node
  }
  return offset
}

/** A map's entry lies where its key stands. */
function child(node: unknown, key: PropertyKey): { node: unknown; offset: number } | undefined {
  if (isMap(node)) {
    // Of keys that are there twice the last one counts, as in the value.
    const pair = node.items.findLast((item) => isScalar(item.key) && String(item.key.value) === String(key))
    if (pair && isScalar(pair.key)) return { node: pair.value, offset: pair.key.range?.[0] ?? 0 }
  }
  if (isSeq(node)) {
    const item = node.items[Number(key)] as Node | undefined
    if (item) return { node: item, offset: item.range?.[0] ?? 0 }
  }
  return undefined
}

/** What zod found, as faults with places. */
export function faultsOf(error: z.ZodError | undefined, yaml: Positioned): Fault[] {
  return flatIssues(error?.issues ?? []).map(({ path, message }) => yaml.fault(path, message))
}

/** Faults in the order of the file, none twice. */
export function inOrder(faults: readonly Fault[]): Fault[] {
  const unique = new Map(faults.map((fault) => [JSON.stringify(fault), fault]))
  return [...unique.values()].sort(
    (a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
  )
}

/** `name is missing: …`, `pack.formats: expected …`; an unknown key is its own subject. */
function withSubject(path: readonly PropertyKey[], message: string): string {
  if (path.length === 0 || message.startsWith('unknown key')) return message
  return `${pathText(path)}${message.startsWith('is ') ? ' ' : ': '}${message}`
}

/** `mirror.deb[1].uri`: entries are counted from 1, as people do. */
function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((key, index) => (typeof key === 'number' ? `[${key + 1}]` : `${index ? '.' : ''}${String(key)}`))
    .join('')
}
