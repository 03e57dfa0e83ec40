import { literalPattern } from '../units/pattern.ts'

/** Texts that must never be shown, wherever they turn up, and in whichever usual form. Iterates over them as added. */
export interface Secrets extends Iterable<string> {
  add(secret: string): void
  /** The text with every secret in it replaced by `***`. */
  hide(text: string): string
  /** The same with bytes, which need not be text. */
  hideBytes(bytes: Buffer): Buffer
  /**
   * Writes asterisks over every secret in bytes, in place, so that nothing moves; also over what begins at their end, or
   * ends at their beginning, because they are a piece of something longer.
   */
  cover(bytes: Buffer): void
}

/** Shorter pieces of a secret at an edge are anybody's. */
const SHORTEST_PIECE = 4

/** Each line of a secret of several lines (a key) counts on its own: that is how it would be shown. */
export function secrets(known: Iterable<string> = []): Secrets {
  const added = new Set<string>()
  let forms: string[] = []
  let bytes: Buffer[] = []
  const add = (secret: string) => {
    if (added.has(secret)) return
    added.add(secret)
    const lines = secret.split(/\r?\n/).filter((line) => line.trim() !== '')
    // A longer one goes before a shorter one that it contains.
    forms = [...new Set([...forms, ...lines.flatMap(formsOf)])].sort((a, b) => b.length - a.length)
    bytes = forms.map((form) => Buffer.from(form))
  }
  for (const secret of known) add(secret)
  return {
    add,
    hide: (text) => forms.reduce((shown, form) => shown.replaceAll(form, '***'), text),
    hideBytes(given) {
      if (!bytes.some((form) => given.includes(form))) return given
      const text = bytes.reduce(
        (shown, form) => shown.replaceAll(form.toString('latin1'), '***'),
        given.toString('latin1'),
      )
      return Buffer.from(text, 'latin1')
    },
    cover(given) {
      for (const form of bytes) {
        for (let at = given.indexOf(form); at >= 0; at = given.indexOf(form, at + form.length))
          given.fill('*', at, at + form.length)
        coverEdges(given, form)
      }
    },
    [Symbol.iterator]: () => added[Symbol.iterator](),
  }
}

function coverEdges(given: Buffer, form: Buffer): void {
  for (let length = Math.min(form.length - 1, given.length); length >= SHORTEST_PIECE; length--) {
    // Most pieces differ in their first byte, and there are many packets.
    const end = given.length - length
    if (given[end] === form[0] && given.subarray(end).equals(form.subarray(0, length))) given.fill('*', end)
    const from = form.length - length
    if (given[0] === form[from] && given.subarray(0, length).equals(form.subarray(from)))
      given.fill('*', 0, length)
  }
}

/** A secret as it is, and as programs write it: in JSON, patterns, URLs, forms, HTML, shells, base64 (HTTP Basic). */
function formsOf(secret: string): string[] {
  const inJson = (text: string) => JSON.stringify(text).slice(1, -1)
  const inUrl = encodeURIComponent(wellFormed(secret))
  const percent = [inUrl, asForm(inUrl), asForm(inUrl).replaceAll('%20', '+')]
  const lowerCase = percent.map((text) => text.replace(/%../g, (code) => code.toLowerCase()))
  const html = secret.replace(/[&<>"]/g, (character) => entities[character]!)
  return [
    secret,
    ...[secret, literalPattern(secret), html].map(inJson),
    literalPattern(secret),
    ...percent,
    ...lowerCase,
    html,
    html.replaceAll("'", '&#39;'),
    secret.replaceAll("'", "'\\''"),
    ...inBase64(secret),
  ]
}

/** Forms write more of it in this way (https://url.spec.whatwg.org/#application-x-www-form-urlencoded-percent-encode-set). */
function asForm(inUrl: string): string {
  return inUrl.replace(/[!'()~]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}

/** UTF-8 has no lone surrogates. */
function wellFormed(text: string): string {
  return Buffer.from(text).toString('utf8')
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/** What base64 makes of it wherever in something longer it begins: the characters that depend on it alone. */
function inBase64(secret: string): string[] {
  const bytes = Buffer.from(secret)
  if (bytes.length < 6) return []
  return [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64')
    const from = Math.ceil((before * 8) / 6)
    return text.slice(from, Math.floor(((before + bytes.length) * 8) / 6))
  })
}
