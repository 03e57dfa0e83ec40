import { z } from 'zod'
import { count, mapOf, matching, section, text, words, yesOrNo } from '../section.ts'
import { anyText, pattern } from './words.ts'

const headers = () => mapOf(text('a value'), 'a map from headers to values').optional()

/** What an answer must be like. */
const expectation = section({
  status: count(100, 599).optional().describe('By default any of 200 to 299'),
  headers: headers().describe('Each header must contain what is given here'),
  json: z.unknown().optional().describe('A part that the JSON answer must contain'),
  json_at: mapOf(z.unknown(), 'a map from places such as licenses[0].key to values')
    .optional()
    .describe('Values at places of the JSON answer: { "licenses[0].key": ABCD }'),
  body: pattern().optional().describe('A regular expression the body must match'),
})

const filePart = section({
  file: words('a file: one downloaded in this scenario, or one of the project'),
  type: words('a media type').optional().describe('By default application/octet-stream'),
  filename: words('a file name').optional().describe('By default the file’s own'),
})

const bodies = ['json', 'body', 'form', 'multipart'] as const

/** A question to the guest's web server. */
export const request = z
  .union([
    words('a path such as /health').transform((path) => ({ path })),
    section({
      path: words('a path such as /health').describe('E.g. /health'),
      port: count(1, 65_535).optional().describe('By default 80, with TLS 443'),
      tls: yesOrNo().optional().describe('By default where the port is 443 or a certificate is given'),
      certificate: matching(
        /^(sha256:[0-9a-fA-F:]{64,95}|[^\n]+)$/,
        'sha256:… or a PEM file: one downloaded in this scenario, or one of the project',
      )
        .optional()
        .describe(
          'The certificate the server must show: its fingerprint, sha256:…, or a PEM file downloaded before. Without it, the first one a scenario sees is the one it must go on showing',
        ),
      headers: headers(),
      cookies: yesOrNo().optional().describe('false: sends none, and forgets the ones it is given'),
      json: z.unknown().optional().describe('Sent as JSON'),
      body: anyText().optional().describe('Sent as it is'),
      form: mapOf(text('a value'), 'a map from fields to values').optional().describe('Sent as a form'),
      multipart: mapOf(z.union([text('a value'), filePart]), 'a map from fields to values or { file: … }')
        .optional()
        .describe('Sent as a form with files: { title: x, backup: { file: backup.tar } }'),
      expect: expectation.optional().describe('What the answer must be like'),
    }).superRefine((given, context) => {
      const both = bodies.filter((key) => given[key] !== undefined)
      if (both.length > 1)
        context.addIssue({
          code: 'custom',
          message: `a request has one body, this one has ${both.join(' and ')}`,
        })
      if (given.tls === false && given.certificate !== undefined)
        context.addIssue({
          code: 'custom',
          path: ['certificate'],
          message: 'goes with TLS, and tls is false',
        })
    }),
  ])
  .transform((given) => given as Request)
  .describe('Asks the guest’s web server')

export interface Request {
  path: string
  port?: number
  tls?: boolean
  certificate?: string
  headers?: Record<string, string>
  cookies?: boolean
  json?: unknown
  body?: string
  form?: Record<string, string>
  multipart?: Record<string, string | { file: string; type?: string; filename?: string }>
  expect?: Expectation
}

export interface Expectation {
  status?: number
  headers?: Record<string, string>
  json?: unknown
  json_at?: Record<string, unknown>
  body?: string
}
