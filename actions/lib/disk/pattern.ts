/**
 * A pattern of absolute paths in a guest. Within a segment: `*`, `?`, `[a-z]`; `**` as a segment stands for any
 * number of folders. A leading dot is nothing special. Braces are {@link expandBraces}' matter.
 */
export class Pattern {
  readonly text: string
  readonly #segments: (RegExp | undefined)[]

  constructor(text: string) {
    this.text = text
    this.#segments = text
      .split('/')
      .slice(1)
      .map((segment) => (segment === '**' ? undefined : segmentExpression(segment)))
  }

  matches(path: string): boolean {
    return matchFrom(this.#segments, path.split('/').slice(1), 0, 0)
  }

  /** Whether something below `folder` could match, i.e. whether it is worth looking into. */
  mayMatchBelow(folder: string): boolean {
    const names = folder === '/' ? [] : folder.split('/').slice(1)
    for (const [index, name] of names.entries()) {
      if (index >= this.#segments.length) return false
      const segment = this.#segments[index]
      if (segment === undefined) return true
      if (!segment.test(name)) return false
    }
    return names.length < this.#segments.length
  }
}

function matchFrom(segments: (RegExp | undefined)[], names: string[], s: number, n: number): boolean {
  if (s === segments.length) return n === names.length
  const segment = segments[s]
  if (segment === undefined) {
    for (let skip = n; skip <= names.length; skip++) if (matchFrom(segments, names, s + 1, skip)) return true
    return false
  }
  return n < names.length && segment.test(names[n]!) && matchFrom(segments, names, s + 1, n + 1)
}

function segmentExpression(segment: string): RegExp {
  const source = segment.replaceAll(/\[[^\]]*\]|[*?.+^$()|{}\\]/g, (part) => {
    if (part === '*') return '.*'
    if (part === '?') return '.'
    return part.startsWith('[') ? part : `\\${part}`
  })
  return new RegExp(`^${source}$`, 's')
}

/** `/etc/{passwd,group}-` → `/etc/passwd-`, `/etc/group-`; alternatives may hold slashes. */
export function expandBraces(text: string): string[] {
  const match = /^(.*?)\{([^{}]*)\}(.*)$/s.exec(text)
  if (!match) return [text]
  const [, before, alternatives, after] = match as unknown as [string, string, string, string]
  return alternatives.split(',').flatMap((alternative) => expandBraces(before + alternative + after))
}
