/** One value for each name. */
export type Combination<T> = { [K in keyof T]: T[K] extends readonly (infer V)[] ? V : never }

/** Names, each with the values it may have. */
type Choices = Record<string, readonly unknown[]>

/**
 * Combinations in which every two values of different names meet at least once; few, though not always the fewest:
 * each takes, name by name, the value that meets the most pairs that have not met. Deterministic.
 *
 * @param possible whether values can be together; pairs that cannot need not meet
 */
export function pairwise<T extends Choices>(
  choices: T,
  possible: (combination: Partial<Combination<T>>) => boolean = () => true,
): Combination<T>[] {
  const names = Object.keys(choices).filter((name) => choices[name]!.length > 0)
  const open = new Set<string>()
  const key = (a: number, x: number, b: number, y: number) =>
    a < b ? `${a}.${x}-${b}.${y}` : `${b}.${y}-${a}.${x}`
  const values = names.map((name) => choices[name]!)
  const combined = (...chosen: (readonly [name: number, value: number])[]) =>
    Object.fromEntries(chosen.map(([name, value]) => [names[name], values[name]![value]])) as Combination<T>
  const none: readonly (number | undefined)[] = names.map(() => undefined)
  /** Whether what is chosen is possible, and stays so with some value for every other name. */
  const completable = (chosen: readonly (number | undefined)[]): boolean => {
    const taken = chosen.flatMap((value, name) => (value === undefined ? [] : [[name, value] as const]))
    if (!possible(combined(...taken))) return false
    const next = chosen.indexOf(undefined)
    return next < 0 || values[next]!.some((_, value) => completable(chosen.with(next, value)))
  }
  for (let a = 0; a < names.length; a++)
    for (let b = a + 1; b < names.length; b++)
      for (let x = 0; x < values[a]!.length; x++)
        for (let y = 0; y < values[b]!.length; y++)
          if (completable(none.with(a, x).with(b, y))) open.add(key(a, x, b, y))
  const found: number[][] = []
  if (names.length === 1) found.push(...values[0]!.map((_, index) => [index]))
  while (open.size > 0) {
    const [first] = open
    const chosen: (number | undefined)[] = names.map(() => undefined)
    for (const part of first!.split('-')) {
      const [name, value] = part.split('.').map(Number) as [number, number]
      chosen[name] = value
    }
    for (let name = 0; name < names.length; name++) {
      if (chosen[name] !== undefined) continue
      const meets = (value: number) =>
        chosen.filter((other, index) => other !== undefined && open.has(key(name, value, index, other)))
          .length
      const scores = values[name]!.map((_, value) =>
        completable(chosen.with(name, value)) ? meets(value) : -1,
      )
      chosen[name] = scores.indexOf(Math.max(...scores))
    }
    for (let a = 0; a < names.length; a++)
      for (let b = a + 1; b < names.length; b++) open.delete(key(a, chosen[a]!, b, chosen[b]!))
    found.push(chosen as number[])
  }
  return found
    .map((indices) => combined(...indices.map((value, name) => [name, value] as const)))
    .filter(possible)
}

/** Every value once. */
export function each<T extends Choices>(choices: T): Combination<T>[] {
  const names = Object.keys(choices).filter((name) => choices[name]!.length > 0)
  const longest = Math.max(0, ...names.map((name) => choices[name]!.length))
  return Array.from(
    { length: longest },
    (_, index) =>
      Object.fromEntries(
        names.map((name) => [name, choices[name]![index % choices[name]!.length]]),
      ) as Combination<T>,
  )
}
