import { describe, expect, test } from '@jest/globals'
import { indexesIn, indexFolders } from '../../../actions/mirror-deps/deb/evidence.ts'
import { wantedOfRepository } from '../../../actions/mirror-deps/deb/source.ts'

const [a, b, c, d] = ['aa', 'bb', 'cc', 'dd'].map((byte) => byte.repeat(32)) as [
  string,
  string,
  string,
  string,
]

const release = (head: string) => `Origin: Example
Date: Sat, 21 Nov 2026 09:15:44 UTC
${head}MD5Sum:
 0123 9 main/binary-amd64/Packages.xz
SHA256:
 ${a} 400 main/binary-amd64/Packages
 ${b} 100 main/binary-amd64/Packages.xz
 ${c} 120 contrib/binary-amd64/Packages.gz
 ${d}  50 main/binary-all/Packages.xz
SHA512:
 ffff 100 main/binary-amd64/Packages.xz
`

describe('the indexes a Release file vouches for', () => {
  const indexes = (text: string, components: string[], architectures?: string[]) =>
    indexesIn(text, indexFolders({ components, architectures }, 'bookworm', text))

  test('each is taken once, the smallest form first, by its SHA-256', () => {
    expect(indexes(release(''), ['main', 'contrib', 'non-free'])).toEqual([
      ['main/binary-amd64/Packages.xz', { sha256: b, size: 100 }],
      ['contrib/binary-amd64/Packages.gz', { sha256: c, size: 120 }],
    ])
  })

  test('packages for all architectures may have an index of their own', () => {
    const head = 'Architectures: all amd64 arm64\n'
    expect(indexes(release(head), ['main']).map(([path]) => path)).toEqual([
      'main/binary-amd64/Packages.xz',
      'main/binary-all/Packages.xz',
    ])
    const debian = `${head}No-Support-for-Architecture-all: Packages\n`
    expect(indexes(release(debian), ['main']).map(([path]) => path)).toEqual([
      'main/binary-amd64/Packages.xz',
    ])
  })

  test('each architecture has its own', () => {
    const text = release('').replace('SHA512:', ` ${a} 7 main/binary-i386/Packages.gz\nSHA512:`)
    expect(indexes(text, ['main'], ['amd64', 'i386']).map(([path]) => path)).toEqual([
      'main/binary-amd64/Packages.xz',
      'main/binary-i386/Packages.gz',
    ])
  })

  test('a flat repository has one, beside its Release file', () => {
    const text = `SHA256:\n ${a} 9 ./Packages\n ${b} 5 Packages.gz\n`
    expect(indexesIn(text, indexFolders({ components: [] }, './', text))).toEqual([
      ['Packages.gz', { sha256: b, size: 5 }],
    ])
  })
})

test('addresses: upstream, then the snapshot of that time; older indexes by digest', () => {
  const wanted = wantedOfRepository({
    name: 'debian',
    uri: 'https://deb.example.test/debian',
    suites: ['bookworm'],
    components: ['main'],
    snapshot: 'https://snapshot.example.test/debian/{timestamp}/',
    timestamp: '20261121T091544Z',
    evidence: [{ path: 'dists/bookworm/main/binary-amd64/Packages.xz', sha256: a, size: 1 }],
    packages: [
      {
        name: 'g++',
        version: '4:12-3',
        arch: 'amd64',
        path: 'pool/main/g/g++_12-3_amd64.deb',
        license: 'NOASSERTION',
        sha256: b,
        size: 2,
      },
    ],
  })
  const index = `dists/bookworm/main/binary-amd64`
  expect(wanted.map(({ title, urls }) => [title, ...urls])).toEqual([
    [
      'deb g++ 4:12-3 of debian',
      'https://deb.example.test/debian/pool/main/g/g%2b%2b_12-3_amd64.deb',
      'https://snapshot.example.test/debian/20261121T091544Z/pool/main/g/g%2b%2b_12-3_amd64.deb',
    ],
    [
      'dists/bookworm/main/binary-amd64/Packages.xz of debian',
      `https://deb.example.test/debian/${index}/by-hash/SHA256/${a}`,
      `https://deb.example.test/debian/${index}/Packages.xz`,
      `https://snapshot.example.test/debian/20261121T091544Z/${index}/by-hash/SHA256/${a}`,
      `https://snapshot.example.test/debian/20261121T091544Z/${index}/Packages.xz`,
    ],
  ])
})
