import { formatSize } from '../../lib/units/size.ts'
import type { Installed } from './packages.ts'

/** How many packages the table names. */
const SHOWN = 10

/** How much there is on the machine and what of it is biggest: a Markdown table. */
export function footprint(installed: readonly Installed[], used: number): string {
  const biggest = installed.toSorted((a, b) => b.size - a.size || (a.name < b.name ? -1 : 1)).slice(0, SHOWN)
  const rows = biggest.map(({ name, version, size }) => `| ${name} | ${version} | ${formatSize(size)} |`)
  return `### The base machine: ${installed.length} packages, ${formatSize(used)} on disk

| biggest | version | unpacked |
|---|---|---:|
${rows.join('\n')}
`
}
