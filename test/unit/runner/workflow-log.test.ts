import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { ApplianceError } from '../../../actions/lib/errors/error.ts'
import { InputError, showFault } from '../../../actions/lib/errors/fault.ts'
import { workflowLog } from '../../../actions/lib/runner/workflow-log.ts'

let written = ''
beforeEach(() => {
  written = ''
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    written += String(text)
    return true
  })
})
afterEach(() => {
  jest.restoreAllMocks()
})

/**
 * What the runner obeys of a step's output: a command is a line that begins with `::`, or that has `##[` in it,
 * unless the runner was told to listen for one word only (actions/runner, ActionCommandManager.cs). Debugging, which
 * only shows text, does not count.
 */
function obeyed(output: string): string[] {
  const commands: string[] = []
  let word: string | undefined
  for (const line of output.split('\n')) {
    if (word !== undefined) {
      if (line === `::${word}::`) word = undefined
      continue
    }
    const stop = /^::stop-commands::(.+)$/.exec(line)
    if (stop) word = stop[1]!
    else if (/^\s*::|##\[/.test(line) && !line.startsWith('::debug::')) commands.push(line)
  }
  return commands
}

describe('a workflow step', () => {
  test('a guest gives no orders, however it cuts them up', () => {
    const log = workflowLog(() => '.')
    log.guest('booting\n::error::not you\n##[add-mask]x\n')
    log.guest(':')
    log.guest(':set-output name=a::b\n\r\n  ::warning::indented\n::stop-commands::x\n::x::\n')
    log.guest('::error::unfinished')
    log.info('done')
    expect(obeyed(written)).toEqual([])
    expect(written).toContain('::error::not you')
    expect(written.trimEnd().endsWith('done')).toBe(true)
  })

  test('nor does a line of ours that quotes one', () => {
    const log = workflowLog(() => '.')
    log.info('ok\n::error::quoted')
    log.info('ls: ##[error]quoted')
    log.warn('quoted\n::error::x')
    log.failure(new ApplianceError('guest-failed', 'it said\n::error::x', { hint: 'see\n::error::y' }))
    expect(obeyed(written)).toEqual(['::warning::quoted%0A::error::x', '::error::it said%0A::error::x'])
  })

  test('groups fold, inner ones are headings', async () => {
    const log = workflowLog(() => '.')
    await log.group('outer', () => log.group('inner', async () => log.info('news')))
    expect(written.split('\n').slice(0, 3)).toEqual(['::group::outer', '== inner', 'news'])
    expect(obeyed(written)).toEqual(['::group::outer', '::endgroup::'])
  })

  test('a group that fails is closed all the same', async () => {
    const log = workflowLog(() => '.')
    await expect(log.group('outer', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(obeyed(written)).toEqual(['::group::outer', '::endgroup::'])
  })

  test('every fault is an annotation where it stands', () => {
    const log = workflowLog(() => 'product')
    log.failure(new InputError([{ file: 'appliance.yml', line: 3, column: 5, message: 'unknown key nmae' }]))
    expect(obeyed(written)).toEqual([
      '::error title=appliance,file=product/appliance.yml,line=3,col=5::unknown key nmae',
    ])
  })

  test('so is every failed scenario, at most ten of them, and what to do is told, too', () => {
    const faults = Array.from({ length: 12 }, (_, index) => ({
      file: 'scenarios/a.yml',
      line: index + 1,
      message: `no ${index}`,
    }))
    const error = new ApplianceError('check-failed', faults.map(showFault).join('\n'), {
      faults,
      hint: 'Look.',
      evidence: ['/x/screen.png'],
    })
    workflowLog(() => 'product').failure(error)
    const said = obeyed(written)
    expect(said).toHaveLength(10)
    expect(said[0]).toBe('::error title=appliance,file=product/scenarios/a.yml,line=1::no 0')
    expect(said[9]).toContain("3 more faults are in this step's log")
    expect(written).toContain('scenarios/a.yml:12: no 11\n')
    expect(written).toContain('\n  Look.\n  see /x/screen.png\n')
  })

  test('of a fault of ours, how a job is debugged is told, not a flag', () => {
    const before = process.env.GITHUB_ACTIONS
    process.env.GITHUB_ACTIONS = 'true'
    workflowLog(() => '.').failure(new ApplianceError('internal', 'it broke'))
    if (before === undefined) delete process.env.GITHUB_ACTIONS
    else process.env.GITHUB_ACTIONS = before
    expect(written).toContain('Run the job again with debug logging and report what it prints.')
  })

  test('each line of a secret is masked', () => {
    workflowLog(() => '.').mask('-----BEGIN-----\nabc\n\n')
    expect(obeyed(written)).toEqual(['::add-mask::-----BEGIN-----', '::add-mask::abc'])
  })
})
