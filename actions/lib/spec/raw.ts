/**
 * Looking into a parsed YAML file that may still be full of faults: what has the wrong type is taken as not there,
 * since the schema names it anyway. So one fault never hides another.
 */
export function valueAt(value: unknown, ...path: PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, key) =>
      typeof inner === 'object' && inner !== null && Object.hasOwn(inner, key)
        ? (inner as Record<PropertyKey, unknown>)[key]
        : undefined,
    value,
  )
}

/** The list at a path; an empty one when there is none. */
export function listAt(value: unknown, ...path: PropertyKey[]): unknown[] {
  const found = valueAt(value, ...path)
  return Array.isArray(found) ? found : []
}

/** The text at a path. */
export function textAt(value: unknown, ...path: PropertyKey[]): string | undefined {
  const found = valueAt(value, ...path)
  return typeof found === 'string' ? found : undefined
}

/** The texts at a path, where one may stand alone or several in a list. */
export function textsAt(value: unknown, ...path: PropertyKey[]): string[] {
  const one = textAt(value, ...path)
  return one === undefined ? listAt(value, ...path).filter((entry) => typeof entry === 'string') : [one]
}

/** The keys of the map at a path; none when there is no map. */
export function keysAt(value: unknown, ...path: PropertyKey[]): string[] {
  const found = valueAt(value, ...path)
  return typeof found === 'object' && found !== null && !Array.isArray(found) ? Object.keys(found) : []
}
