/** An element as far as descriptors need it: names without their namespace prefix. */
export interface Element {
  name: string
  attributes: Record<string, string>
  children: Element[]
  /** The text directly inside, trimmed. */
  text: string
}

/**
 * Reads an XML document into a tree: elements, attributes, text, CDATA; comments and instructions are skipped.
 * A document type is refused, since nothing good comes of entities in a file from elsewhere.
 *
 * @throws SyntaxError naming what was found where
 */
export function parseXml(source: string): Element {
  const root: Element = { name: '', attributes: {}, children: [], text: '' }
  const open = [root]
  const token =
    /<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<!\[CDATA\[([\s\S]*?)\]\]>|<\/([^\s>]+)\s*>|<([^\s/>!?]+)((?:\s+[^\s=]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|([^<]+)/y
  while (token.lastIndex < source.length) {
    const at = token.lastIndex
    const match = token.exec(source)
    const current = open.at(-1)!
    if (!match)
      throw new SyntaxError(`no XML at character ${at}: ${JSON.stringify(source.slice(at, at + 30))}`)
    const [, cdata, closing, opening, attributes, selfClosing, text] = match
    if (cdata !== undefined) current.text += cdata
    else if (text !== undefined) current.text += withoutEntities(text)
    else if (closing !== undefined) {
      if (open.length === 1 || current.name !== local(closing))
        throw new SyntaxError(`</${closing}> at character ${at} closes nothing`)
      current.text = current.text.trim()
      open.pop()
    } else if (opening !== undefined) {
      const element = {
        name: local(opening),
        attributes: readAttributes(attributes!),
        children: [],
        text: '',
      }
      current.children.push(element)
      if (!selfClosing) open.push(element)
    }
  }
  if (open.length > 1) throw new SyntaxError(`<${open.at(-1)!.name}> is never closed`)
  if (root.children.length !== 1) throw new SyntaxError('there must be exactly one root element')
  return root.children[0]!
}

/** All elements of that name below one, at any depth, in document order. */
export function descendants(element: Element, name: string): Element[] {
  return element.children.flatMap((child) => [
    ...(child.name === name ? [child] : []),
    ...descendants(child, name),
  ])
}

/** The text of the first child of that name; empty when there is none. */
export function childText(element: Element, name: string): string {
  return element.children.find((child) => child.name === name)?.text ?? ''
}

function readAttributes(text: string): Record<string, string> {
  const pairs = text.matchAll(/([^\s=]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)
  return Object.fromEntries([...pairs].map(([, name, a, b]) => [local(name!), withoutEntities(a ?? b ?? '')]))
}

function local(name: string): string {
  return name.slice(name.indexOf(':') + 1)
}

const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function withoutEntities(text: string): string {
  return text.replace(/&(?:#(\d+)|#x([0-9a-fA-F]+)|(\w+));/g, (whole, decimal, hex, name) => {
    if (name !== undefined) return named[name] ?? whole
    return String.fromCodePoint(Math.min(Number.parseInt(decimal ?? hex, decimal ? 10 : 16), 0x10ffff))
  })
}
