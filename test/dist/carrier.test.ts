import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from '@jest/globals'
import { sha256 } from '../../actions/lib/files/digest.ts'
import { carrier } from '../../actions/lib/runner/carrier.ts'
import { workflowLog } from '../../actions/lib/runner/workflow-log.ts'
import { servicesAroundEach } from './emulator/around.ts'

const log = workflowLog(() => '.')
const name = 'appliance-chef-provision-0123.tar.zst'
const content = 'a disk, made in another job'
const at = servicesAroundEach('carrier')
beforeEach(async () => {
  await mkdir(join(at.folder, 'to'))
  await mkdir(join(at.folder, 'shared'))
  await writeFile(join(at.folder, name), content)
})

describe.each(['artifact', 'folder'])('carried by %s', (how) => {
  const made = () => carrier(how === 'folder' ? join(at.folder, 'shared') : how, undefined, log)

  test('a file arrives under its name, byte for byte; what was never put is not there', async () => {
    await made().put(join(at.folder, name), sha256(content))
    const path = await made().fetch(name, join(at.folder, 'to'))
    expect(await readFile(path!, 'utf8')).toBe(content)
    expect(await made().has('appliance-ova-pack-4567.json')).toBe(false)
    expect(await made().fetch('appliance-ova-pack-4567.json', join(at.folder, 'to'))).toBeUndefined()
  })

  test('two jobs that put the same at once leave one, whole', async () => {
    const put = () => made().put(join(at.folder, name), sha256(content))
    const ended = await Promise.allSettled([put(), put()])
    expect(ended.some(({ status }) => status === 'fulfilled')).toBe(true)
    expect(await readFile((await made().fetch(name, join(at.folder, 'to')))!, 'utf8')).toBe(content)
    if (how === 'folder') expect(await readdir(join(at.folder, 'shared'))).toEqual([name])
  })
})

test('a folder that is not mounted on this runner is a fault, and is not made', async () => {
  const by = carrier(join(at.folder, 'unmounted'), undefined, log)
  const fault = { code: 'input', message: expect.stringMatching(/^input carry: .*unmounted is not there/) }
  await expect(by.has(name)).rejects.toMatchObject(fault)
  await expect(by.fetch(name, join(at.folder, 'to'))).rejects.toMatchObject(fault)
  await expect(by.put(join(at.folder, name), sha256(content))).rejects.toMatchObject(fault)
  expect(await readdir(at.folder)).not.toContain('unmounted')
})

test.each(['artifact', 'folder'])(
  'by %s, what is discarded is there no more, and can be put again',
  async (how) => {
    const by = carrier(how === 'folder' ? join(at.folder, 'shared') : how, undefined, log)
    await by.put(join(at.folder, name), sha256(content))
    await by.discard(name)
    expect(await by.has(name)).toBe(false)
    await by.discard(name)
    await writeFile(join(at.folder, name), 'made again')
    await by.put(join(at.folder, name), sha256('made again'))
    expect(await readFile((await by.fetch(name, join(at.folder, 'to')))!, 'utf8')).toBe('made again')
  },
)

describe('artifacts of an earlier run', () => {
  /** Puts the file in one run; gives the carrier of a later one. */
  async function later(branch: string, run = 2) {
    await carrier('artifact', undefined, log).put(join(at.folder, name), sha256(content))
    at.services.artifacts[0]!.branch = branch
    return ofRun(run)
  }

  async function ofRun(run: number) {
    const event = join(at.folder, 'event.json')
    await writeFile(event, JSON.stringify({ repository: { default_branch: 'main' } }))
    Object.assign(process.env, at.services.ofRun(run), {
      GITHUB_API_URL: at.services.api,
      GITHUB_REPOSITORY: 'org/appliance',
      GITHUB_EVENT_PATH: event,
      RUNNER_TEMP: at.folder,
      GITHUB_REF: 'refs/pull/12/merge',
      GITHUB_REF_NAME: '12/merge',
      GITHUB_REF_TYPE: 'branch',
      GITHUB_HEAD_REF: 'my-change',
    })
    return carrier('artifact', 'a token', log)
  }

  test.each([
    ['my-change', true],
    ['main', true],
    ['12/merge', false],
    ['another', false],
  ])('a pull request from my-change finds those of %s: %s', async (branch, found) => {
    const by = await later(branch)
    expect(await by.has(name)).toBe(found)
  })

  test('one that is discarded is found no more, by later runs neither, until it was made again', async () => {
    const by = await later('main')
    await by.discard(name)
    expect(await by.has(name)).toBe(false)
    expect(await (await ofRun(3)).has(name)).toBe(false)
    const again = await ofRun(4)
    await again.put(join(at.folder, name), sha256(content))
    expect(await (await ofRun(5)).has(name)).toBe(true)
  })
})

test('an artifact that arrives with another digest than was uploaded is refused', async () => {
  const artifacts = carrier('artifact', undefined, log)
  await artifacts.put(join(at.folder, name), sha256(content))
  at.services.lying.add(name)
  await expect(artifacts.fetch(name, join(at.folder, 'to'))).rejects.toMatchObject({
    code: 'digest-mismatch',
    message: `${name} arrived as another file than was uploaded`,
  })
})
