import { data, Evaluator, Lexer, Parser } from '@actions/expressions'

/** `github`, `steps`, `needs` … → plain JSON. What is not in here is an error in the workflow. */
export type Contexts = Readonly<Record<string, unknown>>

/** How the job, or the run, stands: what `success()` and its like answer. */
export interface Standing {
  failed: boolean
  cancelled: boolean
  /** Something before it was skipped: neither `success()` nor `failure()`. */
  skipped?: boolean
}

const statusFunctions = ['success', 'failure', 'always', 'cancelled'] as const

/** The value of one expression, with GitHub's own lexer, parser and evaluator. */
export function evaluate(expression: string, contexts: Contexts, standing?: Standing): unknown {
  const answers = {
    success: standing && !standing.failed && !standing.skipped && !standing.cancelled,
    failure: standing?.failed === true && !standing.cancelled,
    always: true,
    cancelled: standing?.cancelled,
  }
  const functions = standing
    ? statusFunctions.map((name) => ({
        name,
        minArgs: 0,
        maxArgs: 0,
        call: () => new data.BooleanData(answers[name] === true),
      }))
    : []
  const { tokens } = new Lexer(expression).lex()
  const tree = new Parser(tokens, Object.keys(contexts), functions).parse()
  const known = JSON.parse(JSON.stringify(contexts), data.reviver) as data.Dictionary
  const value = new Evaluator(tree, known, new Map(functions.map((one) => [one.name, one]))).evaluate()
  return JSON.parse(JSON.stringify(value, data.replacer) ?? 'null')
}

/** A condition of a step or a job; without a word about the status, it means `success() &&` (docs: expressions). */
export function condition(text: unknown, contexts: Contexts, standing: Standing): boolean {
  const written = text === undefined ? 'success()' : String(text).trim()
  const expression = /^\$\{\{([\s\S]*)\}\}$/.exec(written)?.[1] ?? written
  const asks = statusFunctions.some((name) => new RegExp(`\\b${name}\\s*\\(`).test(expression))
  return truthy(evaluate(asks ? expression : `success() && (${expression})`, contexts, standing))
}

/** Every `${{ }}` in a value, however deep; a string that is nothing but one keeps the expression's type. */
export function expand(value: unknown, contexts: Contexts): unknown {
  if (Array.isArray(value)) return value.map((one) => expand(one, contexts))
  if (value !== null && typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, expand(one, contexts)]))
  if (typeof value !== 'string') return value
  const parts = split(value)
  if (parts.length === 1 && parts[0]!.isExpression) return evaluate(parts[0]!.text, contexts)
  return parts
    .map(({ text, isExpression }) => (isExpression ? asString(evaluate(text, contexts)) : text))
    .join('')
}

/** As the runner writes values into the environment. */
export function asString(value: unknown): string {
  if (value === null || value === undefined) return ''
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

function truthy(value: unknown): boolean {
  return value !== null && value !== undefined && value !== false && value !== 0 && value !== ''
}

/** Text and expressions in turn; `}}` within quotes ends nothing. */
function split(text: string): { text: string; isExpression: boolean }[] {
  const parts: { text: string; isExpression: boolean }[] = []
  let rest = text
  for (;;) {
    const begin = rest.indexOf('${{')
    if (begin < 0) break
    if (begin > 0) parts.push({ text: rest.slice(0, begin), isExpression: false })
    const inside = /^(?:'(?:[^']|'')*'|[^'}]|\}(?!\}))*/.exec(rest.slice(begin + 3))![0]
    if (!rest.startsWith('}}', begin + 3 + inside.length)) throw new Error(`unclosed expression in: ${text}`)
    parts.push({ text: inside.trim(), isExpression: true })
    rest = rest.slice(begin + 3 + inside.length + 2)
  }
  if (rest !== '' || parts.length === 0) parts.push({ text: rest, isExpression: false })
  return parts
}
