import { describe, expect, test } from '@jest/globals'
import { promisedIn } from '../../../actions/mirror-deps/file/digest-list.ts'
import { signed } from '../../../actions/mirror-deps/file/signed.ts'

const [a, b, c] = ['a', 'b', 'c'].map((digit) => digit.repeat(64)) as [string, string, string]
const long = 'd'.repeat(128)

describe('a list of digests', () => {
  test.each([
    ['sha256sum', `${b}  other.iso\n${a}  debian.iso\n`, { sha256: a }],
    ['binary mode, upper case, CRLF', `${a.toUpperCase()} *debian.iso\r\n`, { sha256: a }],
    ['sha512sum with a folder', `${long}  ./debian.iso`, { sha512: long }],
    ['tagged', `SHA256 (debian.iso) = ${a}\nSHA512 (debian.iso) = ${long}\n`, { sha256: a, sha512: long }],
    ['tagged, of the wrong length', `SHA512 (debian.iso) = ${a}`, undefined],
    ['MD5 is none', `${'e'.repeat(32)}  debian.iso\n`, undefined],
    ['another name that ends alike', `${a}  not-debian.iso\n`, undefined],
    [
      'the nearest folder counts',
      `${a}  dvd/debian.iso\n${b}  iso-cd/debian.iso\n${c}  debian.iso`,
      { sha256: b },
    ],
    ['a name with a blank', `${a}  my debian.iso`, undefined],
  ])('%s', (_, list, promised) => {
    expect(promisedIn(list, 'https://example.test/12/iso-cd/debian.iso?mirror=1')).toEqual(promised)
  })

  test('an address with an encoded name', () => {
    expect(promisedIn(`${a}  my debian.iso`, 'https://example.test/my%20debian.iso')).toEqual({ sha256: a })
  })
})

describe('what a signature is of', () => {
  const url = 'https://example.test/cd/debian.iso'
  const list = (name: string) => ({ what: 'list', url: `https://example.test/cd/${name}` })
  test.each([
    ['debian.iso.sig', { what: 'file' }],
    ['debian.iso.asc?x=1', { what: 'file' }],
    ['debian-12.asc', { what: 'file' }],
    ['SHA256SUMS.sign', list('SHA256SUMS')],
    ['SHA512SUMS.gpg', list('SHA512SUMS')],
    ['sha256sum.txt.asc', list('sha256sum.txt')],
    ['Debian-12-CHECKSUM.sig', list('Debian-12-CHECKSUM')],
  ])('%s', (name, of) => {
    expect(signed(`https://example.test/cd/${name}`, url, '-----BEGIN PGP SIGNATURE-----')).toEqual(of)
  })

  test('a clearsigned list is the list itself, whatever its name', () => {
    for (const name of ['CHECKSUM', 'SHA256SUMS.asc'])
      expect(signed(`https://example.test/${name}`, url, '-----BEGIN PGP SIGNED MESSAGE-----\n')).toEqual({
        what: 'itself',
      })
  })
})
