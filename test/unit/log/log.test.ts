import { describe, expect, test } from '@jest/globals'
import { ApplianceError } from '../../../actions/lib/errors/error.ts'
import { InputError } from '../../../actions/lib/errors/fault.ts'
import { guestLines } from '../../../actions/lib/log/guest-lines.ts'
import { jsonLog } from '../../../actions/lib/log/json.ts'
import { plainLog } from '../../../actions/lib/log/plain.ts'
import { terminalLog } from '../../../actions/lib/log/terminal.ts'

function paper() {
  const out: string[] = []
  const err: string[] = []
  return { out, err, lines: { out: (line: string) => out.push(line), err: (line: string) => err.push(line) } }
}

describe('what a guest prints', () => {
  test('pieces become whole lines', () => {
    const guest = guestLines()
    expect(guest.push('Loading ')).toEqual([])
    expect(guest.push('Linux\r\nboot')).toEqual(['Loading Linux'])
    expect(guest.flush()).toEqual(['boot'])
    expect(guest.flush()).toEqual([])
  })

  test('colours, titles, bells and cursor movements are taken out', () => {
    const guest = guestLines()
    const said = guest.push('\u001b[1;32mOK\u001b[0m \u001b]0;title\u0007done\u0007\b\tok\u001b(B\n')
    expect(said).toEqual(['OK done\tok'])
  })

  test('of a line that is rewritten, the last state counts', () => {
    expect(guestLines().push('10 %\r50 %\r100 %\r\n')).toEqual(['100 %'])
  })

  test('a line that never ends is shown all the same', () => {
    expect(guestLines().push('x'.repeat(9000))).toEqual(['x'.repeat(4000), 'x'.repeat(4000)])
  })
})

describe('plain lines', () => {
  test('groups open with their title and close with the time they took', async () => {
    const { out, err, lines } = paper()
    const log = plainLog({ debug: false, lines })
    const result = await log.group('mirror-deps', async () => {
      log.info('one\ntwo')
      log.guest('unfinished')
      log.warn('three')
      return 7
    })
    expect(result).toBe(7)
    expect(out).toEqual(['== mirror-deps', 'one', 'two', '  | unfinished', '== mirror-deps: 0.0 s'])
    expect(err).toEqual(['warning: three'])
  })

  test('a group that fails says so and passes the failure on', async () => {
    const { out, lines } = paper()
    const log = plainLog({ debug: false, lines })
    const broken = log.group('pack', () => Promise.reject(new Error('no')))
    await expect(broken).rejects.toThrow('no')
    expect(out.at(-1)).toBe('== pack: failed after 0.0 s')
  })

  test('a secret appears nowhere, not even in two pieces or in a failure', () => {
    const { out, err, lines } = paper()
    const log = plainLog({ debug: true, lines })
    log.mask('s3cret')
    log.mask('-----BEGIN KEY-----\nabcdef\n')
    log.info('the password is s3cret, truly s3cret')
    log.guest('echo s3c')
    log.guest('ret\nabcdef\n')
    log.failure(
      new ApplianceError('guest-failed', 'login with s3cret failed', { cause: new Error('s3cret') }),
    )
    expect([...out, ...err].join('\n')).not.toMatch(/s3cret|abcdef/)
    expect(out[0]).toBe('the password is ***, truly ***')
    expect(out[1]).toBe('  | echo ***')
  })

  test('a failure names what to do and where to look; its stack only under debug', () => {
    const error = new ApplianceError('no-answer', 'the machine never answered', {
      hint: 'Look at its screen.',
      evidence: ['/e/screen.png'],
      cause: new Error('timed out'),
    })
    const quiet = paper()
    plainLog({ debug: false, lines: quiet.lines }).failure(error)
    expect(quiet.err).toEqual([
      'error: the machine never answered',
      '  Look at its screen.',
      '  see /e/screen.png',
    ])
    const loud = paper()
    plainLog({ debug: true, lines: loud.lines }).failure(error)
    expect(loud.err.join('\n')).toMatch(/caused by Error: timed out\n\s+at /)
  })
})

describe('a terminal', () => {
  test('the moving line shows bytes, rate and time left, and makes way for other lines', () => {
    let clock = 0
    const shown: string[] = []
    const log = terminalLog({
      debug: false,
      screen: { columns: 100, write: (text) => shown.push(text) },
      lines: { out: (line) => shown.push(`${line}\n`), err: (line) => shown.push(`${line}\n`) },
      now: () => clock,
    })
    const fetch = log.progress('fetch', 4_000_000, 'bytes')
    fetch.add(1_000) // too soon to draw again
    clock = 2_000
    fetch.add(999_000)
    log.info('found a mirror')
    fetch.done()
    expect(shown).toEqual([
      '\r\u001b[Kfetch  0 %  0 B of 4.0 MB',
      '\r\u001b[Kfetch  25 %  1.0 MB of 4.0 MB  500 kB/s  6.0 s left',
      '\r\u001b[K',
      'found a mirror\n',
      '\r\u001b[Kfetch  25 %  1.0 MB of 4.0 MB  500 kB/s  6.0 s left',
      '\r\u001b[K',
    ])
  })

  test('the moving line never wraps', () => {
    const shown: string[] = []
    const log = terminalLog({
      debug: false,
      screen: { columns: 20, write: (text) => shown.push(text) },
      lines: paper().lines,
    })
    log.progress('a very long title of something', 10, 'items')
    expect(shown).toEqual(['\r\u001b[Ka very long title o'])
  })
})

describe('JSON lines', () => {
  const parsed = (work: (log: ReturnType<typeof jsonLog>) => void | Promise<void>) => {
    const out: string[] = []
    const done = work(jsonLog({ debug: false, out: (line) => out.push(line) }))
    return Promise.resolve(done).then(() => out.map((line) => JSON.parse(line) as Record<string, unknown>))
  }

  test('every line is one object with its level and groups', async () => {
    const lines = await parsed((log) =>
      log.group('outer', () =>
        log.group('inner', async () => {
          log.mask('s3cret')
          log.info('a\nb s3cret')
        }),
      ),
    )
    expect(lines[2]).toEqual({ level: 'info', group: ['outer', 'inner'], message: 'a\nb ***' })
    expect(lines[3]).toMatchObject({ level: 'group', group: ['outer', 'inner'], state: 'done' })
    expect(lines.at(-1)).toMatchObject({ level: 'group', group: ['outer'], state: 'done' })
  })

  test('progress is told in tenths', async () => {
    const lines = await parsed((log) => {
      const progress = log.progress('fetch', 100, 'bytes')
      for (let i = 0; i < 100; i++) progress.add(1)
    })
    expect(lines).toHaveLength(10)
    expect(lines.at(-1)).toEqual({ level: 'progress', title: 'fetch', done: 100, total: 100, unit: 'bytes' })
  })

  test('faults come as data', async () => {
    const fault = { file: 'appliance.yml', line: 3, message: 'unknown key nmae' }
    const [line] = await parsed((log) => log.failure(new InputError([fault])))
    expect(line).toEqual({
      level: 'error',
      code: 'input',
      message: 'appliance.yml:3: unknown key nmae',
      faults: [fault],
    })
  })
})
