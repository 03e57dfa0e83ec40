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

test('an artifact that arrives with another digest than was uploaded is refused', async () => {
  const artifacts = carrier('artifact', undefined, log)
  await artifacts.put(join(at.folder, name), sha256(content))
  at.services.lying.add(name)
  await expect(artifacts.fetch(name, join(at.folder, 'to'))).rejects.toMatchObject({
    code: 'digest-mismatch',
    message: `${name} arrived as another file than was uploaded`,
  })
})
