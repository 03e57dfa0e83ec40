/** What tells the evidence of one job of a run from that of others. */
const telling = ['working-directory', 'spec', 'tags', 'scenario'] as const
const usual: readonly unknown[] = ['', '.', 'appliance.yml', undefined]

/**
 * The artifact that an action's evidence becomes. Artifacts of a run need names of their own: jobs of a matrix differ
 * in what they select, appliances of one workflow in their folders, attempts in their numbers.
 *
 * @param values the action's inputs
 * @param attempt of the run, from 1
 */
export function evidenceName(action: string, values: Record<string, unknown>, attempt: number): string {
  const parts = telling.map((input) => values[input]).filter((value) => !usual.includes(value))
  if (values.ova !== undefined) parts.push('ova')
  if (attempt > 1) parts.push(`attempt ${attempt}`)
  // Artifacts take no slashes, quotes or line ends in their names; of a long list its beginning is enough.
  const words = parts.map((part) =>
    String(part)
      .replace(/[^A-Za-z0-9_.]+/g, '-')
      .slice(0, 60),
  )
  return [action, 'evidence', ...words.map((word) => word.replace(/^[-.]+|-+$/g, ''))]
    .filter(Boolean)
    .join('-')
}
