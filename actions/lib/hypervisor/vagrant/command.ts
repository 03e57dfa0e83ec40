/** Runs one vagrant in the machine's project. */
export type Vagrant = (args: readonly string[], signal?: AbortSignal) => Promise<string>

/** Vagrant's complaints are paragraphs; of a fault in itself, what it was and not where. */
export function lastWords(text: string): string {
  const lines = text.split('\n').filter((line) => !/^\s+(from |\d+: from )|^#<Thread:/.test(line))
  return lines.join(' ').trim().replace(/\s+/g, ' ').slice(-500) || 'it said nothing'
}
