import { type IncomingHttpHeaders, request as plainRequest } from 'node:http'
import { request as tlsRequest } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { ApplianceError } from '../lib/errors/error.ts'
import type { Endpoint } from '../lib/hypervisor/hypervisor.ts'

export interface HttpQuestion {
  method: string
  /** With its query: `/licenses?x=1`. */
  path: string
  headers: Record<string, string>
  body?: string | Uint8Array
  tls: boolean
}

export interface HttpAnswer {
  status: number
  reason: string
  headers: IncomingHttpHeaders
  /** Decoded as UTF-8; at most {@link LONGEST_BODY} bytes of it. */
  body: string
  /** Whether the body went on. */
  cut: boolean
  /** SHA-256 of the certificate that was shown, lower-case hex; with TLS. */
  certificate?: string
}

/** Bytes of a response's body that are kept; one that never ends is cut here. */
export const LONGEST_BODY = 8 << 20

/**
 * Asks the guest, over a connection of its own, and gives the first answer as it is: redirects are for the
 * scenario to judge, never followed. Any certificate is taken (an appliance signs its own): which it was is told.
 *
 * @param hear is told what comes as it comes, which may be all there is of an answer without an end
 * @throws ApplianceError `no-answer` when no HTTP answer came
 */
export function ask(
  endpoint: Endpoint,
  question: HttpQuestion,
  signal: AbortSignal,
  hear: (text: string) => void = () => {},
): Promise<HttpAnswer> {
  const { method, path, headers, body, tls } = question
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  const options = {
    host: endpoint.host,
    port: endpoint.port,
    method,
    path,
    headers: { ...length, ...headers },
    agent: false as const,
    signal,
  }
  return new Promise((resolve, reject) => {
    const failed = (error: Error) => reject(noAnswer(endpoint, question, error))
    const request = tls ? tlsRequest({ ...options, rejectUnauthorized: false }) : plainRequest(options)
    request.on('error', failed)
    request.on('response', (response) => {
      const shown = tls ? (response.socket as TLSSocket).getPeerCertificate().fingerprint256 : undefined
      const certificate = shown?.replaceAll(':', '').toLowerCase()
      hear(`HTTP ${response.statusCode} ${response.statusMessage}\n`)
      const chunks: Buffer[] = []
      let length = 0
      const done = (cut: boolean) =>
        resolve({
          status: response.statusCode ?? 0,
          reason: response.statusMessage ?? '',
          headers: response.headers,
          body: Buffer.concat(chunks).subarray(0, LONGEST_BODY).toString('utf8'),
          cut,
          ...(certificate === undefined ? {} : { certificate }),
        })
      response.on('error', failed)
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        hear(chunk.toString('utf8'))
        length += chunk.length
        if (length <= LONGEST_BODY) return
        done(true)
        request.destroy()
      })
      response.on('end', () => done(false))
    })
    request.end(body)
  })
}

function noAnswer(endpoint: Endpoint, { method, path }: HttpQuestion, cause: Error): ApplianceError {
  const code = (cause as NodeJS.ErrnoException).code
  const why = (code && reasons[code]) || cause.message || code
  return new ApplianceError(
    'no-answer',
    `${method} ${path} got no answer from port ${endpoint.port}: ${why}`,
    { cause },
  )
}

const reasons: Record<string, string> = {
  ECONNREFUSED: 'connection refused, nothing listens there',
  ECONNRESET: 'the connection was closed before an answer came',
  EHOSTUNREACH: 'the machine cannot be reached',
  ETIMEDOUT: 'the connection timed out',
  EPROTO: 'no TLS is spoken there',
}
