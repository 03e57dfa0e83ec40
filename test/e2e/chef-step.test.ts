import { readdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import type { ApplianceError } from '../../actions/lib/errors/error.ts'
import { type ChefGuest, chefGuest, recipeStep } from '../fixtures/chef-guest.ts'
import { buildExample } from '../fixtures/example.ts'
import { isInside, testsInside } from '../fixtures/inside.ts'

jest.setTimeout(600_000)
if (process.getuid?.() !== 0)
  test.skip('skipped, because a change of the root directory needs root', () => {})
else if (!isInside()) {
  await buildExample('veewee-basebox')
  await testsInside(import.meta.url)
} else chefSteps()

/** The step chef_solo as the stage runs it, over SSH, in a guest without systemd and a kernel of its own. */
function chefSteps(): void {
  let chef: ChefGuest
  beforeAll(async () => {
    chef = await chefGuest()
  })
  afterAll(async () => await chef?.[Symbol.asyncDispose]())

  async function runs(recipe: string, more: Parameters<typeof recipeStep>[2] = {}) {
    chef.lines.length = 0
    return (await chef.runs(await recipeStep(chef.folder, recipe, more), 'chef_solo web')).chef!
  }
  const failureOf = async (...[recipe, more]: Parameters<typeof runs>): Promise<ApplianceError> =>
    await runs(recipe, more).then(
      () => {
        throw new Error('it did not fail')
      },
      (error) => error,
    )
  /** Chef has begun by then, on whatever computer. */
  const PATIENCE = 15_000
  const SAID = 'hunter2'
  const slow = `execute 'slow' do\n  command 'echo password is ${SAID}; sleep 600'\n  live_stream true\nend\n`
  const bad = `execute 'mysql -p${SAID}' do\n  command 'echo ${SAID} >&2; exit 3'\nend\n`

  test('one that takes too long says what Chef was at, and what that said last', async () => {
    const late = await failureOf(slow, { timeout: PATIENCE })
    expect(late.code).toBe('timeout')
    expect(late.message).toMatch(
      /^chef_solo web took longer than 15 s; it last said: execute\[slow\] run \| .*web::default \| password is hunter2$/,
    )
    expect(late.message).not.toContain('"event"')
    expect(late.evidence.map((path) => basename(path))).toContain('chef.log')
  })

  test('a sensitive one says nothing, whatever becomes of it: in no message, log, report or evidence', async () => {
    const sensitive = true
    const late = await failureOf(slow, { timeout: PATIENCE, sensitive })
    expect(late).toMatchObject({ message: 'chef_solo web took longer than 15 s', evidence: [] })
    expect(chef.lines).toEqual([])
    const failed = await failureOf(bad, { sensitive })
    expect(failed).toMatchObject({
      message: expect.stringMatching(
        /^chef_solo web: Chef failed at cookbooks-\w+\/web\/recipes\/default\.rb:1 \(the step is sensitive\)$/,
      ),
      evidence: [],
    })
    expect(chef.lines).toEqual([])
    expect(await readdir(join(chef.folder, 'out/evidence')).catch(() => [])).toEqual([])
    const report = await runs(`file '/etc/${SAID}'\n`, { sensitive })
    expect(report).toMatchObject({ resources: 1, updated: 1 })
    expect(JSON.stringify(report)).not.toContain(SAID)
    expect(chef.lines).toEqual([])
  })

  test('a failure comes with its resource, its place, and Chef’s own files', async () => {
    const failed = await failureOf(bad)
    expect(failed.message).toMatch(
      /^chef_solo web: execute\[mysql -phunter2\] run \(cookbooks-\w+\/web\/recipes\/default\.rb:1\): Mixlib::ShellOut::ShellCommandFailed: .*STDERR: hunter2/,
    )
    expect(failed.evidence.map((path) => basename(path))).toEqual(['chef-stacktrace.out', 'chef.log'])
  })

  test('what a recipe ignores is a warning, and not what the run is said to have failed for', async () => {
    const probe =
      "execute 'optional probe' do\n  command 'echo nobody there >&2; false'\n  ignore_failure true\nend\n"
    const failed = await failureOf(`${probe}package 'nosuch'\n`)
    expect(failed.message).toMatch(
      /^chef_solo web: package\[nosuch\] install \(.*:5\): .*No candidate version available for nosuch/,
    )
    expect(failed.hint).toMatch(/^The mirror does not have nosuch: add it to packages: of /)
    const report = await runs(probe)
    expect(report).toMatchObject({
      failed: 1,
      ignored: [expect.stringMatching(/^execute\[optional probe\] run: .*nobody there/)],
    })
    expect(chef.lines.join('')).toMatch(/warning: it failed, which the recipe ignores: .*nobody there/)
  })

  test('idempotent: check names what a second run updates, and none where nothing does', async () => {
    const idempotent = true
    const stamp = "execute 'stamp' do\n  command 'true'\nend\nfile '/etc/once' do\n  content '1'\nend\n"
    const failed = await failureOf(stamp, { idempotent })
    expect(failed.code).toBe('check-failed')
    expect(failed.message).toBe(
      'chef_solo web is not idempotent: a second run updated 1 of 2 resources: execute[stamp] run (web::default)',
    )
    expect(await runs("file '/etc/twice' do\n  content '1'\nend\n", { idempotent })).toMatchObject({
      updated: 1,
    })
  })

  test('why_run does nothing; attributes come from a file; log_level says more', async () => {
    const attributesFile = join(chef.folder, 'node.json')
    await writeFile(attributesFile, '{ "web": { "word": "from a file, {{mirror}}" } }')
    const recipe = "file '/etc/word' do\n  content node['web']['word']\nend\n"
    await runs(recipe, { attributesFile, whyRun: true })
    const word = async () =>
      (await chef.provisioning.guest.run('cat /etc/word', { allowFailure: true })).stdout
    expect(await word()).toBe('')
    await runs(recipe, { attributesFile, logLevel: 'info' })
    expect(await word()).toBe('from a file, http://mirror.internal')
    expect(chef.lines.join('')).toMatch(/INFO: /)
  })

  test('where the machine is kept, what Chef had stays; else nothing does', async () => {
    const left = async () =>
      (await chef.provisioning.guest.run('ls /var/tmp/appliance/chef', { allowFailure: true })).stdout
    await failureOf(bad)
    expect(await left()).toBe('')
    const keeps: { leaves: boolean } = chef.provisioning
    keeps.leaves = true
    await failureOf(bad)
    keeps.leaves = false
    expect((await left()).split('\n')).toEqual(
      expect.arrayContaining(['cache', 'chef.log', 'cookbooks-0', 'node.json', 'solo.rb']),
    )
  })
}
