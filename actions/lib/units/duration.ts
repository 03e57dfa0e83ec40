const milliseconds: Record<string, number> = { ms: 1, s: 1e3, min: 60e3, h: 3600e3, d: 86400e3 }

/** `90 s`, `20 min` → milliseconds. A bare number has no unit and is refused. */
export function parseDuration(text: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)\s*$/.exec(text)
  return match ? Math.round(Number(match[1]) * milliseconds[match[2]!]!) : undefined
}

/** Milliseconds for a person: `0.4 s`, `12 s`, `3 min 20 s`. */
export function formatDuration(ms: number): string {
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
