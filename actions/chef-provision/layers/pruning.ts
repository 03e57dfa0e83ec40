import type { Layer, LayerSize } from './layer.ts'

/** A layer on the shelf, as pruning sees it. */
export interface Kept {
  layer: Layer
  size: LayerSize
}

export type Pruning =
  /** The whole layer; nothing lies over it. */
  | { remove: string }
  /** Its memory alone: it can be gone on from by booting. */
  | { forget: string }
  /** The layer, whose disk becomes part of the one layer that lies over it. */
  | { merge: string; into: string }

/**
 * What has to go so that at most `limits.layers` layers in `limits.size` bytes remain. Layers of other courses than
 * the present one go first, those used longest ago before others; then, when there are too many, the earliest of the
 * present course, since a change is likelier late than early; and when they are too large, memories from the earliest
 * on, then layers from the last on.
 *
 * @param kept the one used longest ago first
 * @param course keys of the present steps, in order
 */
export function pruning(
  kept: readonly Kept[],
  course: readonly string[],
  limits: { layers: number; size: number },
): Pruning[] {
  const left = new Map<string, { parent: string | undefined; size: LayerSize }>(
    kept.map(({ layer, size }) => [layer.key, { parent: layer.parent, size: { ...size } }]),
  )
  const doing: Pruning[] = []
  const over = (key: string) => [...left].flatMap(([other, { parent }]) => (parent === key ? [other] : []))
  const room = () => [...left.values()].reduce((sum, { size }) => sum + size.disk + size.memory, 0)
  const fits = () => left.size <= limits.layers && room() <= limits.size
  const remove = (key: string) => {
    left.delete(key)
    doing.push({ remove: key })
  }

  // Leaves first: what lies under another layer goes when that has gone.
  for (;;) {
    if (fits()) return doing
    const leaf = [...left.keys()].find((key) => !course.includes(key) && over(key).length === 0)
    if (leaf === undefined) break
    remove(leaf)
  }
  const present = () => course.filter((key) => left.has(key))
  while (left.size > limits.layers) {
    const first = present().find((key) => over(key).length === 1)
    const last = present().at(-1)
    if (first === undefined) {
      if (last === undefined) return doing
      remove(last)
      continue
    }
    const [into] = over(first) as [string]
    const gone = left.get(first)!
    const heir = left.get(into)!
    heir.parent = gone.parent
    heir.size.disk += gone.size.disk
    left.delete(first)
    doing.push({ merge: first, into })
  }
  for (const key of present()) {
    if (fits()) return doing
    const { size } = left.get(key)!
    if (size.memory === 0) continue
    size.memory = 0
    doing.push({ forget: key })
  }
  while (!fits() && present().length > 0) remove(present().at(-1)!)
  return doing
}
