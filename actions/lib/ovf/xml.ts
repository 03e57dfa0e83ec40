/** An XML element with its attributes and children, in the order they are to appear. */
export interface Element {
  name: string
  attributes: Record<string, string | number>
  children: (Element | string)[]
}

/** `element('Info', 'Disks')`, `element('File', { 'ovf:id': 'disk1' })`. */
export function element(
  name: string,
  attributes: Record<string, string | number> | string,
  ...children: (Element | string | undefined)[]
): Element {
  const present = children.filter((child) => child !== undefined)
  if (typeof attributes === 'string') return { name, attributes: {}, children: [attributes, ...present] }
  return { name, attributes, children: present }
}

/** An XML 1.0 document in UTF-8; text stands on its element's line so that no blank is added to it. */
export function xmlDocument(root: Element): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${rendered(root, '')}`
}

function rendered({ name, attributes, children }: Element, indent: string): string {
  const opening = `${indent}<${name}${Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${escapeXml(String(value))}"`)
    .join('')}`
  if (children.length === 0) return `${opening}/>\n`
  if (children.every((child) => typeof child === 'string'))
    return `${opening}>${children.map(escapeXml).join('')}</${name}>\n`
  const inner = children.map((child) =>
    typeof child === 'string' ? `${indent}  ${escapeXml(child)}\n` : rendered(child, `${indent}  `),
  )
  return `${opening}>\n${inner.join('')}${indent}</${name}>\n`
}

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

/**
 * Text as it may stand in an element or an attribute. Characters that XML 1.0 has no way to write (form feeds in
 * licence texts, say) are left out.
 *
 * @see https://www.w3.org/TR/xml/#charsets
 */
export function escapeXml(text: string): string {
  return text
    .replaceAll(/\r\n?/g, '\n')
    .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udfff]/gu, '')
    .replaceAll(/[&<>"']/g, (character) => entities[character]!)
}
