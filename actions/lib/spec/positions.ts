import { isMap, isPair, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import type { z } from 'zod'
import type { Fault } from '../errors/fault.ts'
import { flatIssues } from './issues.ts'

/** A YAML text with the places of everything in it. */
export interface Positioned {
  value: unknown
  faults: Fault[]
  /** 1-based place of what lies at a path; of its nearest ancestor when it is not there. */
  place(path: readonly PropertyKey[]): { line: number; column: number }
}

/** Parses YAML 1.2; syntax errors and duplicate keys are faults with their places. */
export function parseYaml(text: string, file: string): Positioned {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false })
  const at = (offset: number) => {
    const { line, col } = lineCounter.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }
  const faults = document.errors.map(
    (error): Fault => ({ file, ...at(error.pos[0]), message: error.message }),
  )
  return {
    value: faults.length > 0 ? undefined : document.toJS(),
    faults,
    place(path) {
      let node: unknown = document.contents
      let offset = (node as Node | null)?.range?.[0] ?? 0
      for (const key of path) {
        const next = child(node, key)
        if (!next) break
        offset = next.offset
        node = next.node
      }
      return at(offset)
    },
  }
}

/** A map's entry lies where its key stands. */
function child(node: unknown, key: PropertyKey): { node: unknown; offset: number } | undefined {
  if (isMap(node)) {
    const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key))
    if (pair && isPair(pair) && isScalar(pair.key))
      return { node: pair.value, offset: pair.key.range?.[0] ?? 0 }
  }
  if (isSeq(node)) {
    const item = node.items[Number(key)] as Node | undefined
    if (item) return { node: item, offset: item.range?.[0] ?? 0 }
  }
  return undefined
}

/** What zod found, as faults with places, in the order of the file. */
export function faultsOf(error: z.ZodError, yaml: Positioned, file: string): Fault[] {
  return flatIssues(error.issues)
    .map(({ path, message }) => {
      const subject = path.length > 0 && !message.startsWith('unknown key') ? `${pathText(path)}: ` : ''
      return { file, ...yaml.place(path), message: `${subject}${message}` }
    })
    .sort((a, b) => a.line - b.line || a.column - b.column)
}

/** `mirror.deb[1].uri`: entries are counted from 1, as people do. */
function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((key, index) => (typeof key === 'number' ? `[${key + 1}]` : `${index ? '.' : ''}${String(key)}`))
    .join('')
}
