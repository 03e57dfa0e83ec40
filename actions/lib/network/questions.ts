/** A name somebody asked for. */
export interface Asked {
  /** Whoever it was: an address, or what the caller calls him. */
  from: string
  name: string
  times: number
}

/** Counts questions: a name that was asked for as A and as AAAA was wanted once. */
export class Questions {
  private readonly asked = new Map<string, { from: string; name: string; types: Map<string, number> }>()

  add(from: string, name: string, type: string): void {
    const key = `${from} ${name}`
    let one = this.asked.get(key)
    if (!one) {
      one = { from, name, types: new Map() }
      this.asked.set(key, one)
    }
    one.types.set(type, (one.types.get(type) ?? 0) + 1)
  }

  list(): Asked[] {
    return [...this.asked.values()].map(({ from, name, types }) => ({
      from,
      name,
      times: Math.max(...types.values()),
    }))
  }
}
