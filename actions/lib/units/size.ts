const factors: Record<string, number> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
}

/** `2 GiB` → bytes. Units as in IEC 80000-13 (`MiB`) and SI (`MB`); a bare number has no unit and is refused. */
export function parseSize(text: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([kKMGT]?i?B)\s*$/.exec(text)
  const factor = match && factors[match[2]!]
  return match && factor ? Math.round(Number(match[1]) * factor) : undefined
}

/** Bytes for a person: `1.4 GB` (decimal, as file managers and download pages count). */
export function formatSize(bytes: number): string {
  for (const unit of ['TB', 'GB', 'MB', 'kB'])
    if (bytes >= factors[unit]!) {
      const value = bytes / factors[unit]!
      return `${value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${unit}`
    }
  return `${bytes} B`
}

/** Bytes as whoever set them would write it: in the largest unit in which they are a whole number, `512 MiB`, `30 GB`. */
export function exactSize(bytes: number): string {
  const fits = ['TiB', 'TB', 'GiB', 'GB', 'MiB', 'MB', 'KiB', 'kB'].find(
    (unit) => bytes % factors[unit]! === 0,
  )
  return bytes > 0 && fits ? `${bytes / factors[fits]!} ${fits}` : `${bytes} B`
}
