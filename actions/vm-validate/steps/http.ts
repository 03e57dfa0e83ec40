import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { ApplianceError } from '../../lib/errors/error.ts'
import type { Expectation, Request } from '../../lib/spec/scenario.ts'
import { ask, type HttpAnswer, type HttpQuestion } from '../http.ts'
import { firstDifference, valueAt } from '../json-subset.ts'
import { hidden } from '../secrecy.ts'
import { mismatch, type Outcome, type Surroundings, shown, unlike } from './outcome.ts'
import { fileToSend } from './transfer.ts'

export const httpMethods = ['get', 'post', 'put', 'patch', 'delete', 'head'] as const
export type HttpMethod = (typeof httpMethods)[number]

/** Asks the guest's web server and holds its answer against what is expected. */
export async function askGuest(
  method: HttpMethod,
  step: Request & { sensitive?: boolean },
  around: Surroundings,
): Promise<Outcome> {
  const { machine, browser, signal } = around
  const port = portOf(step)
  const asked = await question(method, step, around)
  const own = step.cookies === false ? undefined : browser.cookiesFor(asked.path, asked.tls, Date.now())
  if (own !== undefined) asked.headers.cookie ??= own
  const answer = await ask(await machine.reach(port), asked, signal, around.hear)
  const strange = await strangeCertificate(step, port, answer, around)
  if (strange !== undefined) return { met: false, finding: strange }
  if (step.cookies !== false) browser.take(answer.headers, asked.path, Date.now())
  return judgeAnswer(answer, step.expect ?? {}, step.sensitive)
}

/** 80 unless another is named; with TLS 443. */
export function portOf({ port, tls, certificate }: Request): number {
  return port ?? (tls === true || certificate !== undefined ? 443 : 80)
}

function usesTls(step: Request): boolean {
  return step.tls ?? (step.certificate !== undefined || portOf(step) === 443)
}

/** The request a step describes; a body brings its content type, which `headers` can override. */
export async function question(
  method: HttpMethod,
  step: Request,
  around: Pick<Surroundings, 'scratch' | 'project'>,
): Promise<HttpQuestion> {
  const [type, body] = await bodyOf(step, around)
  const given = Object.entries(step.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value])
  return {
    method: method.toUpperCase(),
    path: step.path.startsWith('/') ? step.path : `/${step.path}`,
    headers: { ...(type ? { 'content-type': type } : {}), ...Object.fromEntries(given) },
    tls: usesTls(step),
    ...(body === undefined ? {} : { body }),
  }
}

async function bodyOf(
  { json, form, multipart, body }: Request,
  around: Pick<Surroundings, 'scratch' | 'project'>,
): Promise<[type: string | undefined, body: string | Uint8Array | undefined]> {
  if (json !== undefined) return ['application/json', JSON.stringify(json)]
  if (form !== undefined) return ['application/x-www-form-urlencoded', new URLSearchParams(form).toString()]
  if (multipart === undefined) return [undefined, body]
  const data = new FormData()
  for (const [name, value] of Object.entries(multipart)) {
    if (typeof value === 'string') data.append(name, value)
    else {
      const path = await fileToSend(value.file, around)
      const blob = new Blob([await readFile(path)], { type: value.type ?? 'application/octet-stream' })
      data.append(name, blob, value.filename ?? basename(value.file))
    }
  }
  // As fetch would send it, boundary and all.
  const whole = new Response(data)
  return [whole.headers.get('content-type') ?? undefined, new Uint8Array(await whole.arrayBuffer())]
}

/**
 * An appliance signs its own certificate, so that nobody vouches for it: it must be the one that the step names, or
 * else the one that this scenario saw first at this port.
 */
async function strangeCertificate(
  step: Request,
  port: number,
  { certificate }: HttpAnswer,
  { browser, installation, scratch, project }: Surroundings,
): Promise<string | undefined> {
  if (certificate === undefined) return undefined
  // Another installation has made another certificate.
  const place = `${installation}:${port}`
  const wanted = step.certificate
    ? await fingerprintOf(step.certificate, { scratch, project })
    : (browser.certificates.get(place) ?? certificate)
  if (wanted === certificate) {
    browser.certificates.set(place, certificate)
    return undefined
  }
  const whose = step.certificate ? 'the one given' : 'the one it showed before'
  return `port ${port} shows another certificate than ${whose}: sha256:${certificate}, not sha256:${wanted}`
}

/** `sha256:AA:BB…` or a PEM file → lower-case hex. */
async function fingerprintOf(
  given: string,
  around: Pick<Surroundings, 'scratch' | 'project'>,
): Promise<string> {
  if (given.startsWith('sha256:')) return given.slice('sha256:'.length).replaceAll(':', '').toLowerCase()
  const path = await fileToSend(given, around)
  try {
    return new X509Certificate(await readFile(path)).fingerprint256.replaceAll(':', '').toLowerCase()
  } catch (cause) {
    throw new ApplianceError('input', `${given} is no certificate (PEM)`, { cause })
  }
}

/**
 * The first thing that differs is the finding. What is not named may be anything; without a status, any 2xx will
 * do. A header must contain what is expected of it (`text/html` in `text/html; charset=utf-8`).
 */
export function judgeAnswer(answer: HttpAnswer, expect: Expectation, sensitive = false): Outcome {
  const different =
    statusMismatch(answer, expect.status, sensitive) ??
    headerMismatch(answer, expect.headers ?? {}, sensitive) ??
    jsonMismatch(answer, expect, sensitive) ??
    mismatch('body', expect.body, answer.body, sensitive)
  return {
    met: different === undefined,
    finding: different ?? `status ${answer.status} ${answer.reason}`.trim(),
    output: `HTTP ${answer.status} ${answer.reason}\n${headerLines(answer)}\n${answer.body}${answer.cut ? '\n[cut here]' : ''}`,
    value: answer.body,
    headers: answer.headers,
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
  const first = sensitive ? '' : hidden(body.trim().split('\n')[0] ?? '').slice(0, 200)
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

function jsonMismatch(
  answer: HttpAnswer,
  { json, json_at: places = {} }: Expectation,
  sensitive: boolean,
): string | undefined {
  if (json === undefined && Object.keys(places).length === 0) return undefined
  let got: unknown
  try {
    got = JSON.parse(answer.body)
  } catch {
    return unlike('body', 'to be JSON', answer.cut ? 'one that does not end' : shown(answer.body), sensitive)
  }
  const found =
    (json === undefined ? undefined : firstDifference(json, got)) ??
    Object.entries(places)
      .map(([place, value]) => firstDifference(value, valueAt(got, place), place))
      .find((difference) => difference !== undefined)
  return found && unlike(`json ${found.path}`.trim(), shown(found.expected), shown(found.got), sensitive)
}

function headerLines({ headers }: HttpAnswer): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${[value].flat().join(', ')}\n`)
    .join('')
}
