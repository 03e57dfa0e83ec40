import { describe, expect, test } from '@jest/globals'
import { ApplianceError, CommandFailed } from '../../../actions/lib/errors/error.ts'
import { explained } from '../../../actions/mirror-deps/deb/explained.ts'
import { unsatisfied } from '../../../actions/mirror-deps/deb/unsatisfied.ts'
import { HttpStatus, mismatch, verdict } from '../../../actions/mirror-deps/fetch/faults.ts'

const apt = (...lines: string[]) => new CommandFailed('apt-get', [], 100, lines.join('\n'))

describe('what apt could not get', () => {
  const sources = [
    { name: 'debian', uri: 'http://deb.example.test/debian', signedBy: '/keys/debian.gpg' },
    { name: 'security', uri: 'http://deb.example.test/debian-security', signedBy: '/keys/debian.gpg' },
  ]

  test('is told with its source, without apt’s refrain', () => {
    const error = explained(
      'the package indexes could not be had',
      apt(
        'E: Failed to fetch http://deb.example.test/debian-security/dists/x/InRelease  Could not connect',
        'E: Some index files failed to download. They have been ignored, or old ones used instead.',
      ),
      sources,
    )
    expect(error).toMatchObject({
      code: 'unreachable',
      message:
        'deb security: the package indexes could not be had: Failed to fetch http://deb.example.test/debian-security/dists/x/InRelease  Could not connect',
    })
  })
})

describe('what apt finds no solution for', () => {
  const sources = [
    { name: 'debian', packages: ['ngnix', 'libc6:i386'] },
    { name: 'vendor', packages: ['agent=4.2'] },
    { name: 'security', packages: [] },
  ]
  const names = ['nginx', 'nginx-light', 'agent', 'libc6']

  test.each([
    [
      ['E: Unable to locate package ngnix'],
      'deb debian: these packages cannot be installed together: Unable to locate package ngnix (did you mean nginx?)',
    ],
    [
      [
        'Reading package lists...',
        'The following packages have unmet dependencies:',
        ' agent : Depends: libfoo but it is not installable',
      ],
      'deb vendor: these packages cannot be installed together: agent : Depends: libfoo but it is not installable',
    ],
    [
      ['E: Unable to correct problems, you have held broken packages.'],
      'deb debian, vendor: these packages cannot be installed together: Unable to correct problems, you have held broken packages.',
    ],
  ])('%j', (lines, message) => {
    expect(unsatisfied(apt(...lines), sources, names)).toMatchObject({ code: 'unsatisfiable', message })
  })

  test('what is no failure of apt’s stays what it is', () => {
    const error = new Error('something else')
    expect(unsatisfied(error, sources, names)).toBe(error)
  })
})

describe('what several addresses together mean', () => {
  const [busy, missing] = [new HttpStatus(503), new HttpStatus(404)]
  const at = (url: string, error: Error, tries = 1) => ({ url, error, tries })

  test('those that do not have it are named beside those that do not answer', () => {
    const error = verdict('iso disk', [at('http://a/x', busy, 4), at('http://b/x', missing)])
    expect(error).toMatchObject({
      code: 'unreachable',
      message: 'iso disk: http://a/x could not be fetched (HTTP 503; tried 4 times); it is not at http://b/x',
    })
  })

  test('other bytes: whose promise it was decides what to do', () => {
    const hints = (['the lock', 'the spec', 'its signed list'] as const).map((by) => {
      const error = mismatch('file jdk', 'http://a/x', 'sha256 aa', 'bb', by)
      expect(error.message).toBe(
        `file jdk: http://a/x gives other bytes than ${by} promises: expected sha256 aa, got bb`,
      )
      return error.hint
    })
    expect(hints).toEqual([
      expect.stringContaining('appliance lock --update'),
      expect.stringContaining('Correct the digest in the spec'),
      expect.stringContaining('another release of it than the list'),
    ])
    expect(verdict('x', [at('http://a/x', new ApplianceError('digest-mismatch', 'other'))]).code).toBe(
      'digest-mismatch',
    )
  })
})
