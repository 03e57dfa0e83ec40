import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { rules } from '../actions/ova-pack/lint/lint.ts'

const path = fileURLToPath(new URL('../docs/lint.md', import.meta.url))
const BEGIN = '<!-- rules: script/lint-docs writes this part -->'
const END = '<!-- end -->'

/** docs/lint.md with its table of rules renewed. */
export function withRules(text: string): string {
  const lines = Object.entries(rules).map(
    ([id, { severity, concerns, what, fix }]) =>
      `| \`${id}\` | ${severity} | ${concerns.join(', ')} | ${`${what} *${fix}*`.replaceAll('|', '\\|')} |`,
  )
  const table = [
    '| rule | severity | concerns | what goes wrong, and *what to do* |',
    '|---|---|---|---|',
    ...lines,
  ]
  const [before, rest] = text.split(BEGIN)
  return `${before}${BEGIN}\n\n${table.join('\n')}\n\n${END}${rest!.split(END)[1]}`
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  writeFileSync(path, withRules(readFileSync(path, 'utf8')))
