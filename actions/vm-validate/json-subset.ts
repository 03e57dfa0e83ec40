/** The first place where a value is not what was expected. */
export interface Difference {
  /** `licenses[0].key`; empty for the whole value. */
  path: string
  expected: unknown
  /** undefined when there is nothing at all. */
  got: unknown
}

/**
 * Whether `got` holds everything `expected` names: objects may have further keys; lists must have the same length
 * and match entry by entry; all else must be equal.
 *
 * @returns the first difference, or undefined when there is none
 */
export function firstDifference(expected: unknown, got: unknown, path = ''): Difference | undefined {
  if (Array.isArray(expected)) {
    if (!Array.isArray(got)) return { path, expected, got }
    if (got.length !== expected.length)
      return { path: join(path, 'length'), expected: expected.length, got: got.length }
    for (const [index, entry] of expected.entries()) {
      const found = firstDifference(entry, got[index], `${path}[${index}]`)
      if (found) return found
    }
    return undefined
  }
  if (isObject(expected)) {
    if (!isObject(got)) return { path, expected, got }
    for (const [key, value] of Object.entries(expected)) {
      const there = Object.hasOwn(got, key) ? got[key] : undefined
      const found = firstDifference(value, there, join(path, key))
      if (found) return found
    }
    return undefined
  }
  return Object.is(expected, got) || expected === got ? undefined : { path, expected, got }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function join(path: string, key: string): string {
  return path ? `${path}.${key}` : key
}

/** The value at `licenses[0].key` in parsed JSON, or undefined. */
export function valueAt(value: unknown, path: string): unknown {
  let at = value
  for (const [, key, index] of path.matchAll(/([^.[\]]+)|\[(\d+)\]/g)) {
    if (index !== undefined) at = Array.isArray(at) ? at[Number(index)] : undefined
    else at = isObject(at) && Object.hasOwn(at, key!) ? at[key!] : undefined
  }
  return at
}
