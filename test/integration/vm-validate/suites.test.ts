import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import type { ApplianceError } from '../../../actions/lib/errors/error.ts'
import { LocalHypervisor } from './local-machine.ts'
import { Lines, projectWith, validate } from './project.ts'

const folders: string[] = []
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true })
})

/** The command as a suite has it, from its sources. */
const command = `${resolve('node_modules/node/bin/node')} --no-warnings ${resolve('test/fixtures/appliance-vm.ts')}`

async function suite(script: string, spec = '') {
  const folder = await projectWith(`  suites: [{ name: Mine, run: sh mine.sh${spec} }]\n`, {})
  folders.push(folder)
  await mkdir(join(folder, 'scenarios'), { recursive: true })
  await writeFile(join(folder, 'scenarios/one.yml'), 'name: One\nsteps:\n  - run: echo changed >etc/motd\n')
  await writeFile(join(folder, 'mine.sh'), `set -e\nvm() { ${command} "$@"; }\n${script}`)
  const log = new Lines()
  const error = await validate(folder, new LocalHypervisor(), { log }).then(
    () => undefined,
    (thrown) => thrown as ApplianceError,
  )
  const verdict = JSON.parse(await readFile(join(folder, 'build/vm-validate/verdict.json'), 'utf8'))
  return { folder, error, log, result: verdict.results.at(-1) }
}

describe('a suite of the user’s own', () => {
  test('has the pristine machine in reach, and works with it by appliance vm', async () => {
    const { result, error } = await suite(`
test "$APPLIANCE_VERSION" = 1.0.0
test -n "$APPLIANCE_HOST" -a -n "$APPLIANCE_PORT_22" -a -f "$APPLIANCE_SSH_CONFIG"
test "$(vm run cat etc/motd)" = pristine
vm run 'echo mine >etc/motd'
vm snapshot mine
vm run 'echo other >etc/motd; exit 7' && exit 1 || test $? = 7
vm rollback mine
test "$(vm run cat etc/motd)" = mine
vm rollback
test "$(vm run cat etc/motd)" = pristine
vm power-cut
vm run true 2>said && exit 1
grep -q 'the machine is off' said
vm boot
vm screenshot screen.png
test -s screen.png
vm rolback 2>said && exit 1
grep -q 'did you mean rollback' said
`)
    expect(error?.message).toBeUndefined()
    expect(result).toMatchObject({ name: 'Mine', kind: 'suite', status: 'passed' })
    expect(result.steps[0].remarks).toEqual(['it wrote no JUnit file: judged by its exit status'])
  })

  test('has its JUnit cases merged, each with its finding', async () => {
    const { result, error, folder } = await suite(
      `
cat >"$APPLIANCE_REPORTS/a.xml" <<'XML'
<testsuite><testcase classname="app" name="works" time="1"/><testcase classname="app" name="breaks"><failure message="expected 1, got 2">app.rb:3</failure></testcase></testsuite>
XML
mkdir -p out && echo '<testsuite><testcase name="elsewhere"/></testsuite>' >out/b.xml
exit 1
`,
      ', reports: "out/*.xml"',
    )
    expect(
      result.steps.map(({ title, status }: { title: string; status: string }) => [title, status]),
    ).toEqual([
      ['app works', 'passed'],
      ['app breaks', 'failed'],
      ['elsewhere', 'passed'],
    ])
    expect(error?.message).toContain('Mine: app breaks: expected 1, got 2')
    expect(await readFile(join(folder, 'build/vm-validate/report.xml'), 'utf8')).toContain(
      'name="02 app breaks"',
    )
  })

  test('is run again when one of its files has changed, wherever its command reads them from', async () => {
    const { folder, error } = await suite('sh tests/inner.sh\n', '')
    expect(error).toBeDefined()
    await mkdir(join(folder, 'tests'))
    await writeFile(join(folder, 'tests/inner.sh'), 'exit 0\n')
    const once = () => validate(folder, new LocalHypervisor())
    expect((await once()).state).toBe('done')
    expect((await once()).state).toBe('up-to-date')
    await writeFile(join(folder, 'tests/inner.sh'), 'exit 1\n')
    await expect(once()).rejects.toMatchObject({ code: 'check-failed' })
  })

  test('that fails without a word, that is not installed, or that takes too long, is a failure', async () => {
    expect((await suite('echo so it is; exit 3')).result.steps[0].finding).toMatch(
      /^exit status 3 of sh mine\.sh: so it is$/,
    )
    expect((await suite('exec no-such-program-here')).result.steps[0].finding).toContain(
      'is its program installed',
    )
    expect((await suite('sleep 60', ', timeout: 1 s')).result.steps[0].finding).toBe(
      'sh mine.sh took longer than 1.0 s',
    )
  })
})
