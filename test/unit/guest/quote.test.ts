import { execFileSync } from 'node:child_process'
import { describe, expect, test } from '@jest/globals'
import { exports, quote } from '../../../actions/lib/guest/quote.ts'

const shell = (commandLine: string) => execFileSync('/bin/sh', ['-c', commandLine], { encoding: 'utf8' })

describe('a word for the shell', () => {
  test.each([
    'plain',
    '/opt/app-1.2/x_y.z',
    '',
    'two words',
    "it's",
    "''",
    '"$HOME" `id` $(id) \\ \\n',
    'line\nbreak\n',
    '*?[a]~#!&|;<>',
    '-n',
    'überraschend ✓',
  ])('%j reaches a program as it is', (word) => {
    expect(shell(`printf %s ${quote(word)}`)).toBe(word)
  })

  test('needs no quotes when it is plain', () => {
    expect(quote('/var/lib/app')).toBe('/var/lib/app')
  })
})

describe('an environment for the shell', () => {
  test('arrives whole', () => {
    const env = { SECRET: 'a\'b"c$d\ne', _X1: '' }
    expect(shell(`${exports(env)}printf '%s|%s' "$SECRET" "$_X1"`)).toBe('a\'b"c$d\ne|')
  })

  test.each(['1ST', 'a-b', 'x;id', ''])('refuses the name %j', (name) => {
    expect(() => exports({ [name]: 'x' })).toThrow(
      `${JSON.stringify(name)} is no name for an environment variable`,
    )
  })
})
