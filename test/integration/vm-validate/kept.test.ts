import { readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from '@jest/globals'
import type { Answer, Request } from '../../../actions/vm-validate/control.ts'
import { socketOf } from '../../../actions/vm-validate/socket.ts'
import { LocalHypervisor, type LocalOptions } from './local-machine.ts'
import { Lines, projectWith, validate } from './project.ts'

const folders: string[] = []
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true })
})

async function ask(folder: string, request: Request): Promise<Answer> {
  const path = socketOf(join(folder, 'build'))
  return await new Promise((resolve, reject) => {
    let heard = ''
    const socket = connect(path, () => socket.write(`${JSON.stringify(request)}\n`))
    socket.on('data', (chunk) => {
      heard += chunk
    })
    socket.on('error', reject).on('end', () => resolve(JSON.parse(heard)))
  })
}

/** Fails, and waits for somebody to look inside; gives what that one finds. */
async function kept(
  scenarios: Record<string, string>,
  spec: string,
  requests: readonly Request[],
  { reboot = false, ...options }: LocalOptions & { reboot?: boolean } = {},
) {
  const hypervisor = new LocalHypervisor(options)
  const folder = await projectWith(spec, scenarios)
  folders.push(folder)
  const file = join(folder, 'appliance.yml')
  if (reboot) await writeFile(file, (await readFile(file, 'utf8')).replace(' reboot: a folder has none,', ''))
  const log = new Lines()
  const running = validate(folder, hypervisor, { log, inputs: { 'keep-on-failure': true } }).catch(
    (error) => error as Error,
  )
  let over = false
  running.then(() => {
    over = true
  })
  while (!over && !log.lines.some((line) => / is left as it failed|no machine to be kept/.test(line)))
    await sleep(50)
  const rollbacks = hypervisor.rollbacks
  const answers: Answer[] = []
  if (!over) for (const request of requests) answers.push(await ask(folder, request))
  if (!over) await ask(folder, { do: 'stop' })
  await expect(running).resolves.toMatchObject({ code: 'check-failed' })
  const { results } = JSON.parse(await readFile(join(folder, 'build/vm-validate/verdict.json'), 'utf8'))
  return { answers, rollbacks, log, results: results as { name: string; status: string }[] }
}

const motd: Request = { do: 'run', command: 'cat etc/motd' }
const after = '  suites: [{ name: After, run: "true" }]\n'

/** A guest that does not come up well from a restart. */
const badRestart = {
  '/bin/systemctl': `#!/bin/sh
case "$1" in
  is-system-running) if [ -e "$ROOT/rebooted" ]; then echo degraded; exit 1; fi; echo running ;;
  show) echo LoadState=not-found ;;
  reboot) touch "$ROOT/rebooted" ;;
  list-units) [ ! -e "$ROOT/rebooted" ] || echo 'broken.service loaded failed failed Broken' ;;
esac
`,
  '/bin/cat': `#!/bin/sh
case "$1" in
  */boot_id) [ -e "$ROOT/rebooted" ] && echo two || echo one ;;
  *) exec /bin/cat "$@" ;;
esac
`,
}

describe('with keep-on-failure', () => {
  test('it is the machine on which a scenario failed that is left, as it was, whichever of two it is', async () => {
    const { answers, results, log } = await kept(
      {
        a: 'name: A\nsteps:\n  - run: echo first >etc/motd; sleep 2\n',
        b: 'name: B\nsteps:\n  - run: echo second >etc/motd; exit 1\n',
        c: 'name: C\nsteps:\n  - run: sleep 1\n',
        d: 'name: D\nsteps:\n  - run: sleep 1\n',
      },
      `  machines: 2\n${after}`,
      [motd],
    )
    expect(answers[0]).toMatchObject({ ok: { stdout: 'second\n' } })
    expect(log.lines.join('\n')).toContain('B: the machine (validate-2) is left as it failed')
    expect(results.map(({ name, status }) => `${name} ${status}`)).toEqual(
      expect.arrayContaining(['A passed', 'B failed', 'D skipped']),
    )
    expect(results.map(({ name }) => name)).not.toContain('After')
  })
  test('a restart that went badly is left as it is, not rolled back first', async () => {
    const { answers, rollbacks, results } = await kept(
      { a: 'name: A\nsteps:\n  - run: "true"\n' },
      after,
      [{ do: 'run', command: 'test -e rebooted && echo as it failed' }],
      { reboot: true, files: badRestart },
    )
    expect(answers[0]).toMatchObject({ ok: { stdout: 'as it failed\n' } })
    expect(rollbacks).toBe(0)
    expect(results.map(({ name, status }) => `${name} ${status}`)).toEqual([
      'The machine passed',
      'What every appliance must be failed',
    ])
  })

  test('so is a machine that did not finish its first boot', async () => {
    const systemctl = badRestart['/bin/systemctl'].replace(
      'echo LoadState=not-found',
      "printf 'LoadState=loaded\\nActiveState=failed\\nResult=exit-code\\n'",
    )
    const { answers, results } = await kept(
      { a: 'name: A\nsteps:\n  - run: "true"\n' },
      after,
      [{ do: 'status' }, motd],
      { files: { '/bin/systemctl': systemctl } },
    )
    expect(answers[0]).toMatchObject({ ok: { running: true } })
    expect(answers[1]).toMatchObject({ ok: { stdout: 'pristine\n' } })
    expect(results.map(({ name }) => name)).toEqual(['The machine'])
  })
})
