import { describe, expect, test } from '@jest/globals'
import { mirrorAddress, type Needle, privateKeys, publicKey } from '../../../actions/ova-pack/secrets.ts'

/** Whether a needle is found and confirmed in a text. */
function found(needle: Needle, text: string): boolean {
  const at = text.indexOf(needle.bytes.toString('latin1'))
  return at >= 0 && (needle.confirm?.(text, at) ?? true)
}

const base64 = 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7'

describe('private keys', () => {
  test.each([
    ['PKCS #8', `-----BEGIN PRIVATE KEY-----\n${base64}\n`],
    ['OpenSSH', `-----BEGIN OPENSSH PRIVATE KEY-----\n${base64}\n`],
    ['DOS lines', `x-----BEGIN RSA PRIVATE KEY-----\r\n${base64}\r\n`],
    ['in JSON', `"key": "-----BEGIN EC PRIVATE KEY-----\\n${base64}\\n"`],
    ['encrypted', '-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n'],
  ])('%s is one', (_, text) => {
    expect(found(privateKeys, text)).toBe(true)
  })

  test.each([
    ['a program that reads keys', '-----BEGIN OPENSSH PRIVATE KEY-----\n\0-----END'],
    ['documentation', '-----BEGIN PRIVATE KEY-----\nyour key goes here\n'],
    ['the end of one', `-----END PRIVATE KEY-----\n${base64}`],
  ])('%s is none', (_, text) => {
    expect(found(privateKeys, text)).toBe(false)
  })
})

test("the mirror's address is that host alone", () => {
  const mirror = mirrorAddress('http://mirror')
  expect(found(mirror, 'source "http://mirror/gem/app/"')).toBe(true)
  expect(found(mirror, "deb http://mirror'")).toBe(true)
  expect(found(mirror, 'http://mirror.example.com/')).toBe(false)
  expect(found(mirror, 'http://mirrors.kernel.org/')).toBe(false)
})

test('a public key is found whatever its comment', () => {
  const needle = publicKey('ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHx appliance build\n')
  expect(found(needle, 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHx somebody else')).toBe(true)
  expect(needle.tolerable).toBe(false)
})
