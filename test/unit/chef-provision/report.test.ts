import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type ProvisionReport, reported } from '../../../actions/chef-provision/report.ts'
import { ApplianceError } from '../../../actions/lib/errors/error.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'report-'))
})
afterAll(() => rm(folder, { recursive: true }))

const did = { title: 'shell inline', kind: 'shell', milliseconds: 1500, from: 'run' } as const
const read = async () => JSON.parse(await readFile(join(folder, 'report.json'), 'utf8')) as ProvisionReport

test('a failure leaves its own report, as evidence, and nothing of the run before it', async () => {
  await writeFile(join(folder, 'report.json'), '{"steps":["of another run"]}')
  const report: ProvisionReport = { steps: [] }
  const failing = reported(folder, report, async () => {
    await expect(stat(join(folder, 'report.json'))).rejects.toThrow(/ENOENT/)
    report.steps.push(did, { ...did, title: 'chef_solo web', failed: 'no such thing' })
    throw new ApplianceError('guest-failed', 'no such thing', { hint: 'Look.', evidence: ['/serial.log'] })
  })
  await expect(failing).rejects.toMatchObject({
    code: 'guest-failed',
    message: 'no such thing',
    hint: 'Look.',
    evidence: ['/serial.log', join(folder, 'report.json'), join(folder, 'summary.md')],
  })
  expect(await read()).toEqual({ ...report, failed: 'no such thing' })
  expect(await readFile(join(folder, 'summary.md'), 'utf8')).toMatch(
    /\| shell inline \| ran \| 1\.5 s .*\n\| chef_solo web \| ❌ failed; ran \|/,
  )
})

test('a run that ends well has no such word in it', async () => {
  const report: ProvisionReport = { steps: [did] }
  expect(await reported(folder, report, async () => 7)).toBe(7)
  expect(await read()).toEqual({ steps: [did] })
  await expect(stat(join(folder, 'summary.md'))).rejects.toThrow(/ENOENT/)
})
