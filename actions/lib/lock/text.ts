import { lockSchema } from './schema.ts'

/**
 * The lock as text: keys in one order, lists sorted, an artefact a line, so that a diff in a pull request shows what
 * changed and nothing else.
 */
export function lockText(lock: unknown): string {
  return `${written(sorted(lockSchema.parse(lock)), '')}\n`
}

function written(value: unknown, indent: string): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const deeper = `${indent}  `
  const items = Array.isArray(value)
    ? value.map((item) => written(item, deeper))
    : Object.entries(value)
        .filter(([, inner]) => inner !== undefined)
        .map(([key, inner]) => `${JSON.stringify(key)}: ${written(inner, deeper)}`)
  const [open, close] = Array.isArray(value) ? ['[', ']'] : ['{', '}']
  if (items.length === 0) return `${open}${close}`
  if (isLine(value)) return open === '[' ? `[${items.join(', ')}]` : `{ ${items.join(', ')} }`
  return `${open}\n${items.map((item) => `${deeper}${item}`).join(',\n')}\n${indent}${close}`
}

/** An artefact or a list of words: nothing nested. `for` is long, and its parts are looked at one by one. */
function isLine(value: object): boolean {
  const flat = Object.values(value).every((inner) => typeof inner !== 'object' || inner === null)
  return flat && (Array.isArray(value) || 'sha256' in value || 'objects' in value)
}

/** Lists of things with a name or a path are sorted by all that tells them apart; suites and mirrors have an order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) {
    const inner = value.map(sorted)
    const named = inner.every((item) => typeof item === 'object' && item !== null)
    return named ? inner.sort((a, b) => compare(identity(a as object), identity(b as object))) : inner
  }
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, inner]): [string, unknown] => [key, sorted(inner)])
  return Object.fromEntries('for' in value && 'arch' in value ? entries.map(sortedParts) : entries)
}

function sortedParts([key, value]: [string, unknown]): [string, unknown] {
  if (key !== 'for') return [key, value]
  return [key, Object.fromEntries(Object.entries(value as object).sort(([a], [b]) => compare(a, b)))]
}

function identity(item: object): string {
  const { name, path, arch, platform, version, sha256 } = item as Record<string, unknown>
  return [name, arch, platform, version, path, sha256].map((word) => word ?? '').join('\0')
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
