import type { Request } from '../../lib/spec/scenario.ts'
import { ask, type HttpAnswer, type HttpQuestion } from '../http.ts'
import { firstDifference } from '../json-subset.ts'
import { mismatch, type Outcome, type Surroundings, shown, unlike } from './outcome.ts'

export const httpMethods = ['get', 'post', 'put', 'patch', 'delete', 'head'] as const
export type HttpMethod = (typeof httpMethods)[number]

/** Asks the guest's web server and holds its answer against what is expected. */
export async function askGuest(
  method: HttpMethod,
  step: Request & { sensitive?: boolean },
  { machine, signal }: Surroundings,
): Promise<Outcome> {
  const endpoint = await machine.reach(portOf(step))
  return judgeAnswer(await ask(endpoint, question(method, step), signal), step.expect ?? {}, step.sensitive)
}

/** 80 unless another is named. */
export function portOf({ port }: Request): number {
  return port ?? 80
}

/** The request a step describes; `json` and `form` bring their content type, which `headers` can override. */
export function question(method: HttpMethod, step: Request): HttpQuestion {
  const [type, body] =
    step.json !== undefined
      ? ['application/json', JSON.stringify(step.json)]
      : step.form !== undefined
        ? ['application/x-www-form-urlencoded', new URLSearchParams(step.form).toString()]
        : [undefined, step.body]
  const given = Object.entries(step.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value])
  return {
    method: method.toUpperCase(),
    path: step.path.startsWith('/') ? step.path : `/${step.path}`,
    headers: { ...(type ? { 'content-type': type } : {}), ...Object.fromEntries(given) },
    tls: portOf(step) === 443,
    ...(body === undefined ? {} : { body }),
  }
}

/**
 * The first thing that differs is the finding. What is not named may be anything; without a status, any 2xx will
 * do. A header must contain what is expected of it (`text/html` in `text/html; charset=utf-8`).
 */
export function judgeAnswer(
  answer: HttpAnswer,
  expect: NonNullable<Request['expect']>,
  sensitive = false,
): Outcome {
  const different =
    statusMismatch(answer, expect.status, sensitive) ??
    headerMismatch(answer, expect.headers ?? {}, sensitive) ??
    jsonMismatch(answer, expect.json, sensitive) ??
    mismatch('body', expect.body, answer.body, sensitive)
  return {
    met: different === undefined,
    finding: different ?? `status ${answer.status} ${answer.reason}`.trim(),
    output: `HTTP ${answer.status} ${answer.reason}\n${headerLines(answer)}\n${answer.body}${answer.cut ? '\n[cut here]' : ''}`,
    value: answer.body,
  }
}

function statusMismatch(
  answer: HttpAnswer,
  expected: number | undefined,
  sensitive: boolean,
): string | undefined {
  const { status, reason, headers, body } = answer
  if (expected === undefined ? status >= 200 && status <= 299 : status === expected) return undefined
  const to = headers.location === undefined ? '' : ` to ${headers.location}`
  const first = sensitive ? '' : (body.trim().split('\n')[0] ?? '').slice(0, 200)
  // A status is never a secret, and without it nobody can tell what happened.
  return unlike(
    'status',
    String(expected ?? '2xx'),
    `${status} ${reason}${to}`.trim() + (first && `: ${first}`),
  )
}

function headerMismatch(
  { headers }: HttpAnswer,
  expected: Record<string, string>,
  sensitive: boolean,
): string | undefined {
  for (const [name, value] of Object.entries(expected)) {
    const got = headers[name.toLowerCase()]
    const text = got === undefined ? undefined : [got].flat().join(', ')
    if (!text?.includes(value))
      return unlike(`header ${name}`, `to contain ${shown(value)}`, shown(text), sensitive)
  }
  return undefined
}

function jsonMismatch(answer: HttpAnswer, expected: unknown, sensitive: boolean): string | undefined {
  if (expected === undefined) return undefined
  let got: unknown
  try {
    got = JSON.parse(answer.body)
  } catch {
    return unlike('body', 'to be JSON', answer.cut ? 'one that does not end' : shown(answer.body), sensitive)
  }
  const found = firstDifference(expected, got)
  return found && unlike(`json ${found.path}`.trim(), shown(found.expected), shown(found.got), sensitive)
}

function headerLines({ headers }: HttpAnswer): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${[value].flat().join(', ')}\n`)
    .join('')
}
