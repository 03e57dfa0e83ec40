import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from '@jest/globals'
import { reportWishes, wishesMarkdown } from '../../../actions/appliance/escapes.ts'
import { keepRefused, takeRefused } from '../../../actions/appliance/refused.ts'
import { keptLog } from '../../fixtures/machine-room.ts'

const folder = await mkdtemp(join(tmpdir(), 'appliance-escapes-'))
afterAll(() => rm(folder, { recursive: true }))

const who = 'machine provision'
const grave = [
  { who, to: 'deb.debian.org', how: 'dns', times: 2, during: ['shell prepare.sh'] },
  { who, to: '192.0.2.7', how: 'tcp/443', times: 1 },
]
const harmless = { who, to: '0.pool.ntp.org', how: 'dns', times: 4, harmless: 'asks for the time' }
const lacking = [{ path: '/gem/app/info/rack', times: 1, remedy: 'add rack to the gems' }]
const report = (escapes: typeof grave, mode: 'fail' | 'warn', log = keptLog()) =>
  reportWishes('chef-provision', folder, { escapes, lacking: [] }, mode, log)

describe('the end of a stage in which somebody tried to leave', () => {
  test('is an error of one line that names the first, with the list in the log and a file', async () => {
    const log = keptLog()
    expect(await report([...grave, harmless] as typeof grave, 'fail', log)).toMatchObject({
      code: 'check-failed',
      message:
        'chef-provision: machine provision tried to reach deb.debian.org (dns), 2 ×, during shell prepare.sh, and 1 more',
      hint: expect.stringContaining('escapes: warn'),
      evidence: [join(folder, 'escapes.json')],
    })
    expect(log.lines).toContain('  machine provision: 192.0.2.7 (tcp/443), 1 ×')
    const written = JSON.parse(await readFile(join(folder, 'escapes.json'), 'utf8'))
    expect(written).toEqual([...grave, harmless])
  })

  test('is told, but no error, where the spec says so, and where all of it is harmless', async () => {
    const log = keptLog()
    expect(await report(grave, 'warn', log)).toBeUndefined()
    expect(log.lines.join('\n')).toContain('deb.debian.org')
    expect(await report([harmless] as unknown as typeof grave, 'fail')).toBeUndefined()
  })

  test('shows the first fifty of many', async () => {
    const log = keptLog()
    const many = Array.from({ length: 60 }, (_, index) => ({ ...grave[0]!, to: `host${index}.org` }))
    const error = await report(many, 'fail', log)
    expect(error!.message).toContain('and 59 more')
    expect(log.lines).toHaveLength(52)
    expect(log.lines.at(-1)).toBe('  and 10 more')
  })

  test('tells what the mirror lacks, with what would add it, and does not fail for it', async () => {
    const log = keptLog()
    const error = await reportWishes('chef-provision', folder, { escapes: [], lacking }, 'fail', log)
    expect(error).toBeUndefined()
    expect(log.lines).toEqual([
      'chef-provision: asked the mirror for what it does not have:',
      '  /gem/app/info/rack, 1 ×: add rack to the gems',
    ])
    expect(JSON.parse(await readFile(join(folder, 'lacking.json'), 'utf8'))).toEqual(lacking)
  })
})

test('the summary has both lists, and what a guest chose cannot end its block', () => {
  expect(wishesMarkdown('ova-pack', { escapes: [harmless], lacking: [] })).toBeUndefined()
  const text = wishesMarkdown('ova-pack', { escapes: [{ ...grave[1]!, to: '```\n# x' }], lacking })!
  expect(text.match(/^```/gm)).toHaveLength(4)
  expect(text).not.toMatch(/^# x/m)
  expect(text).toContain('/gem/app/info/rack, 1 ×: add rack to the gems')
})

describe('what such a stage made', () => {
  const disk = join(folder, 'disk')
  const done = {
    result: { outputs: { disk: { path: disk }, verdict: { value: 'passed' } }, tools: {} },
    parts: { boot: 1 },
    peakMemory: 1,
  }
  beforeEach(async () => {
    await writeFile(disk, 'disk')
    await keepRefused(folder, 'made from this', done)
  })

  test('is kept for a user who then allows it, once', async () => {
    expect(await takeRefused(folder, 'made from this')).toEqual(done)
    expect(await takeRefused(folder, 'made from this')).toBeUndefined()
  })

  test('is not taken when it was made from something else, or is not as it was made', async () => {
    expect(await takeRefused(folder, 'made from that')).toBeUndefined()
    await keepRefused(folder, 'made from this', done)
    await writeFile(disk, 'other')
    expect(await takeRefused(folder, 'made from this')).toBeUndefined()
    await writeFile(disk, 'disk')
    await keepRefused(folder, 'made from this', done)
    await rm(disk)
    expect(await takeRefused(folder, 'made from this')).toBeUndefined()
  })

  test('is not taken when the note of it was cut short', async () => {
    await writeFile(join(folder, 'refused.json'), '{"fingerprint":"made from')
    expect(await takeRefused(folder, 'made from this')).toBeUndefined()
  })
})
