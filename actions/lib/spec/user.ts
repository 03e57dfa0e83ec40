import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { z } from 'zod'
import { notThere } from './existing.ts'
import { expected, list, matching, section } from './section.ts'

/** Hashes as crypt(5) has them, and never what they are hashes of: what is wrong is not shown. */
const password = z
  .string({ error: 'expected the hash of a password, or env:NAME' })
  .regex(/^(\$(y|gy|7|6|5|2[aby])\$[^\s:]+|env:[A-Za-z_][A-Za-z0-9_]*)$/, {
    error:
      'is not a hash, and a password in clear text would be everybody’s who has this file: write its hash (mkpasswd, openssl passwd -6), or env:NAME, the environment variable that holds it',
  })

/** What begins a line of an authorized_keys file (sshd(8)), without options. */
const PUBLIC_KEY =
  /^(ssh-(ed25519|rsa)|ecdsa-sha2-nistp\d+|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com) [A-Za-z0-9+/=]+( .*)?$/

/** A public key, or a file of them → its lines. */
const publicKeys = (directory: string) =>
  z.string({ error: expected('a public key, or a file with some') }).transform((written, context) => {
    const text = /\s/.test(written.trim()) ? written : contentOf(written, directory)
    const lines = text?.split('\n').flatMap((line) => line.replace(/^\s*#.*/, '').trim() || [])
    const message =
      lines === undefined
        ? notThere(written, directory)
        : text!.includes('PRIVATE KEY')
          ? 'is a private key: give the public one, .pub'
          : lines.length === 0 || lines.some((line) => !PUBLIC_KEY.test(line))
            ? 'expected a public key such as ssh-ed25519 AAAA…, or a file with some, a line each'
            : undefined
    if (message) context.addIssue({ code: 'custom', message })
    return lines ?? []
  })

function contentOf(path: string, directory: string): string | undefined {
  try {
    return readFileSync(resolve(directory, path), 'utf8')
  } catch {
    return undefined
  }
}

/** An account of the base machine. */
export const user = (directory: string) =>
  section({
    name: matching(/^[a-z_][a-z0-9_-]{0,30}$/, 'a user name of a-z, 0-9, dash and underscore').refine(
      (name) => name !== 'root',
      { error: 'root is there already, and may not log in by password' },
    ),
    groups: list(matching(/^[a-z_][a-z0-9_-]{0,30}$/, 'a group'), 'a list of groups')
      .default([])
      .describe('Beyond a group of its own; one that is not there is made'),
    shell: matching(/^\/[^\s:]*$/, 'the path of a shell').default('/bin/bash'),
    sudo: z
      .literal([true, false, 'nopasswd'], { error: expected('true, false or nopasswd') })
      .default(false)
      .describe('Whether it may do everything: true asks for its password, nopasswd asks for none'),
    password: password.optional().describe('Its hash, or env:NAME; without one, only a key lets the user in'),
    authorized_keys: list(publicKeys(directory), 'a list of public keys and of files with some')
      .default([])
      .describe('Keys that let the user in, for base machine and boxes: packing removes every key'),
  })
    .superRefine(({ sudo, password }, context) => {
      if (sudo === true && password === undefined)
        context.addIssue({
          code: 'custom',
          path: ['sudo'],
          message: 'would ask for a password, and the user has none: give one, or write nopasswd',
        })
    })
    .transform(({ authorized_keys: keys, ...rest }) => ({ ...rest, authorizedKeys: keys.flat() }))
