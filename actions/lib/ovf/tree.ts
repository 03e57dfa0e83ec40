import { XMLParser, XMLValidator } from 'fast-xml-parser'

/** An element of a descriptor, with what a message about it needs. */
export interface OvfNode {
  /** Namespace URI and name: `http://schemas.dmtf.org/ovf/envelope/1`, `Disk`. */
  namespace: string
  name: string
  /** Without their prefixes; where two differ in it alone, OVF's own counts. */
  attributes: Readonly<Record<string, string>>
  children: readonly OvfNode[]
  /** The text directly inside. */
  text: string
  /** 1-based. */
  line: number
}

/** Deeper than any descriptor. */
const DEEPEST = 60

export class NotXml extends SyntaxError {}

/**
 * Reads a descriptor into a tree.
 *
 * @throws NotXml naming the line. A document type is refused: nothing good comes of entities in a file from elsewhere.
 */
export function readOvf(text: string): OvfNode {
  if (/<!DOCTYPE/i.test(text)) throw new NotXml('it has a document type, which no importer needs')
  if (text.includes('\0')) throw new NotXml('it has NUL characters')
  const deepest = deepestNesting(text)
  if (deepest > DEEPEST) throw new NotXml(`its elements are nested ${deepest} deep`)
  const verdict = XMLValidator.validate(text)
  if (verdict !== true) {
    const said = verdict.err.msg.slice(0, 160).replaceAll(/\s+/g, ' ')
    throw new NotXml(`line ${verdict.err.line}: ${said}`)
  }
  const parser = new XMLParser({
    preserveOrder: true,
    ignoreAttributes: false,
    attributeNamePrefix: '',
    parseTagValue: false,
    captureMetaData: true,
    maxNestedTags: DEEPEST + 5,
  } as ConstructorParameters<typeof XMLParser>[0])
  const lines = lineStarts(text)
  let parsed: RawNode[]
  try {
    parsed = parser.parse(text) as RawNode[]
  } catch (error) {
    throw new NotXml((error as Error).message.slice(0, 160))
  }
  const roots = parsed.filter((node) => !nameOf(node)?.startsWith('?') && nameOf(node) !== '#text')
  if (roots.length !== 1) throw new NotXml(`it has ${roots.length} root elements`)
  return converted(roots[0]!, new Map([['', '']]), lines)
}

/** As fast-xml-parser gives it with `preserveOrder`: one key is the name, `:@` the attributes. */
type RawNode = Record<string, unknown>

const METADATA = XMLParser.getMetaDataSymbol() as unknown as string

function nameOf(node: RawNode): string | undefined {
  return Object.keys(node).find((key) => key !== ':@')
}

function converted(node: RawNode, outer: ReadonlyMap<string, string>, lines: readonly number[]): OvfNode {
  const qualified = nameOf(node)!
  const written = (node[':@'] ?? {}) as Record<string, string>
  const prefixes = new Map(outer)
  for (const [key, value] of Object.entries(written))
    if (key === 'xmlns') prefixes.set('', value)
    else if (key.startsWith('xmlns:')) prefixes.set(key.slice(6), value)
  const attributes: Record<string, string> = Object.create(null)
  for (const [key, value] of Object.entries(written)) {
    const [, local] = split(key)
    if (key.startsWith('xmlns')) continue
    if (attributes[local] === undefined || key.startsWith('ovf:')) attributes[local] = String(value)
  }
  const content = node[qualified] as RawNode[]
  const [prefix, name] = split(qualified)
  const metadata = (node as Record<string, { startIndex?: number } | undefined>)[METADATA]
  return {
    namespace: prefixes.get(prefix) ?? '',
    name,
    attributes,
    children: content
      .filter((child) => nameOf(child) !== '#text')
      .map((child) => converted(child, prefixes, lines)),
    text: content.map((child) => (nameOf(child) === '#text' ? decoded(String(child['#text'])) : '')).join(''),
    line: lineAt(lines, metadata?.startIndex ?? 0),
  }
}

function split(qualified: string): [string, string] {
  const cut = qualified.indexOf(':')
  return cut < 0 ? ['', qualified] : [qualified.slice(0, cut), qualified.slice(cut + 1)]
}

/** Numeric references; the parser has seen to the named ones. */
function decoded(text: string): string {
  return text.replace(/&#(?:(\d{1,7})|x([0-9a-fA-F]{1,6}));/g, (_, decimal, hex) => {
    const code = Number.parseInt(decimal ?? hex, decimal ? 10 : 16)
    return code <= 0x10ffff ? String.fromCodePoint(code) : ''
  })
}

/** How deep tags are nested, roughly: before a parser is let at it, which may recurse. */
function deepestNesting(text: string): number {
  let depth = 0
  let deepest = 0
  for (const [tag] of text.matchAll(/<(?:\/|[A-Za-z_])[^<>]{0,4096}>?/g)) {
    if (tag.startsWith('</')) depth--
    else if (!tag.endsWith('/>')) depth++
    deepest = Math.max(deepest, depth)
  }
  return deepest
}

function lineStarts(text: string): number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

function lineAt(starts: readonly number[], index: number): number {
  let low = 0
  let high = starts.length
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (starts[middle]! <= index) low = middle
    else high = middle
  }
  return low + 1
}

/** Children of that name, in their order. */
export function childrenOf(node: OvfNode | undefined, name: string): OvfNode[] {
  return node?.children.filter((child) => child.name === name) ?? []
}

export function childOf(node: OvfNode | undefined, name: string): OvfNode | undefined {
  return node?.children.find((child) => child.name === name)
}

/** The trimmed text of the first child of that name; empty where there is none. */
export function textOf(node: OvfNode | undefined, name: string): string {
  return childOf(node, name)?.text.trim() ?? ''
}
