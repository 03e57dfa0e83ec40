import { describe, expect, test } from '@jest/globals'
import { listName, parseUri } from '../../../actions/mirror-deps/deb/apt.ts'

const digest = 'ab'.repeat(32)

describe('what apt prints', () => {
  test('an epoch, a plus and a tilde are read as they are', () => {
    const line = `'https://deb.example.test/debian/pool/main/g/g%2b%2b/g%2b%2b_12.2.0%7ea-3_amd64.deb' g++_4%3a12.2.0~a-3_amd64.deb 1356 SHA256:${digest}`
    expect(parseUri(line)).toEqual({
      name: 'g++',
      version: '4:12.2.0~a-3',
      arch: 'amd64',
      url: 'https://deb.example.test/debian/pool/main/g/g++/g++_12.2.0~a-3_amd64.deb',
      size: 1356,
      sha256: digest,
    })
  })

  test('a package without a SHA-256 is an error, not a package left out', () => {
    const line = `'https://deb.example.test/a_1_all.deb' a_1_all.deb 12 MD5Sum:0123`
    expect(() => parseUri(line)).toThrow('a_1_all.deb')
  })

  test.each([
    ['http://127.0.0.1:8080/debian/dists/b/InRelease', '127.0.0.1:8080_debian_dists_b_InRelease'],
    ['https://me:secret@deb.example.test/d/dists/b/InRelease', 'deb.example.test_d_dists_b_InRelease'],
    ['https://deb.example.test/my_repo/~x/InRelease', 'deb.example.test_my%5frepo_%7ex_InRelease'],
    ['file:///srv/repo/dists/b/InRelease', '_srv_repo_dists_b_InRelease'],
  ])('%s is kept as %s', (uri, name) => {
    expect(listName(uri)).toBe(name)
  })
})
