import type { Log } from '../../lib/log/log.ts'

/** A moving line for each source, and one for all of them where there are several. */
export interface SourceProgress {
  /** @param moved bytes of these that came over the network just now, for the rate */
  add(source: string, bytes: number, moved: number): void
  done(): void
}

export function sourceProgress(
  log: Log,
  wanted: readonly { source: string; size?: number }[],
): SourceProgress {
  const totals = new Map<string, number>()
  for (const { source, size = 0 } of wanted) totals.set(source, (totals.get(source) ?? 0) + size)
  const lines = new Map([...totals].map(([source, total]) => [source, log.progress(source, total, 'bytes')]))
  const sum = [...totals.values()].reduce((one, other) => one + other, 0)
  const all = totals.size > 1 ? log.progress('in all', sum, 'bytes') : undefined
  return {
    add(source, bytes, moved) {
      lines.get(source)?.add(bytes, moved)
      all?.add(bytes, moved)
    },
    done() {
      for (const line of lines.values()) line.done()
      all?.done()
    },
  }
}
