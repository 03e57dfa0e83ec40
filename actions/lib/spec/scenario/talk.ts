import { z } from 'zod'
import { count, duration, list, oneOf, section, words } from '../section.ts'
import { anyText, pattern } from './words.ts'

/** A command in the guest. */
export const run = z
  .union([
    words('a command').transform((command) => ({ command }) as Run),
    section({
      command: words('a command'),
      status: count(0, 255).optional().describe('Expected exit status, by default 0'),
      stdout: pattern().optional().describe('A regular expression that its output must match'),
      stderr: pattern().optional().describe('A regular expression that its messages must match'),
      stdin: anyText().optional().describe('What it reads'),
      answers: list(
        section({
          expect: words('the text of a prompt').describe('Waited for; blanks count as one'),
          answer: anyText('an answer').describe('Typed then, and Enter'),
        }),
        'a list of { expect: …, answer: … }',
      )
        .optional()
        .describe('Runs it on a terminal and answers what it asks, in this order'),
    })
      .superRefine(({ stdin, stderr, answers }, context) => {
        if (answers && stdin !== undefined)
          context.addIssue({
            code: 'custom',
            path: ['stdin'],
            message: 'a command on a terminal reads answers: alone',
          })
        if (answers && stderr !== undefined)
          context.addIssue({
            code: 'custom',
            path: ['stderr'],
            message: 'on a terminal all that it prints is stdout',
          })
      })
      .transform((given) => given as Run),
  ])
  .describe('Runs a shell command in the guest')

export interface Run {
  command: string
  /** Expected exit status, 0 by default. */
  status?: number
  /** Regular expressions. */
  stdout?: string
  stderr?: string
  stdin?: string
  answers?: { expect: string; answer: string }[]
}

const line = section({
  expect: words('text on the screen').optional().describe('Waited for before anything is typed'),
  type: anyText('what is typed').optional().describe('Typed; keys by name, as in "admin<Tab><Enter>"'),
})

/** The machine's own screen and keyboard. */
export const console = z
  .union([
    line.transform((one) => [one]),
    list(line, 'a list of { expect: …, type: … }').min(1, { error: 'say what to expect or type' }),
  ])
  .transform((lines) => ({ lines: lines as ConsoleLine[] }))
  .describe('Waits for text on the machine’s own screen, and types there')

export interface ConsoleLine {
  expect?: string
  type?: string
}

const number = () => count(1, 65_535)

/** A port as seen from outside. */
export const port = z
  .union([
    number().transform((port) => ({ port, state: 'open', protocol: 'tcp' }) as Port),
    section({
      port: number(),
      state: oneOf(['open', 'closed']).default('open'),
      protocol: oneOf(['tcp', 'udp']).default('tcp'),
      within: duration('30 s').optional().describe('Tried again for so long, e.g. 30 s'),
      send: anyText().optional().describe('Of UDP: what is sent'),
      answer: pattern().optional().describe('Of UDP: a regular expression that the answer must match'),
    })
      .superRefine(({ protocol, send, answer }, context) => {
        if (protocol === 'tcp' && (send !== undefined || answer !== undefined))
          context.addIssue({ code: 'custom', message: 'send and answer are for UDP: write protocol: udp' })
      })
      .transform((given) => given as Port),
  ])
  .describe('Looks whether a port is open, or closed, from outside')

export interface Port {
  port: number
  state: 'open' | 'closed'
  protocol: 'tcp' | 'udp'
  /** Milliseconds. */
  within?: number
  send?: string
  answer?: string
}
