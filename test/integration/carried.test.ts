import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { carryIn, carryOut, stagesToRun } from '../../actions/appliance/carried.ts'
import { stageNamed } from '../../actions/appliance/stages.ts'
import { run } from '../../actions/lib/process/command.ts'
import { carrier } from '../../actions/lib/runner/carrier.ts'
import { type Execution, stageWork } from '../../actions/lib/stage/execute.ts'
import { openProject } from '../../actions/lib/stage/project.ts'
import { writeRecord } from '../../actions/lib/stage/record.ts'
import type { Project, StageName } from '../../actions/lib/stage/stage.ts'
import { quietLog } from './ova-pack/quiet-log.ts'

// Jobs of a fleet, each with a workspace of its own, and a folder that they share. The stages' results are small, and
// recorded for what these stages would depend on.

let base: string
let shared: string

beforeEach(async () => {
  base = await mkdtemp('/tmp/appliance-carried-')
  shared = join(base, 'shared')
  await mkdir(shared)
})
afterEach(() => rm(base, { recursive: true }))

interface Runner {
  project: Project
  said: string[]
  /** Records a stage as done here. */
  makes(stage: StageName, content?: string): Promise<void>
  carriesOut(stage: StageName): Promise<void>
  carriesIn(stage: StageName, whole?: boolean): Promise<void>
  plans(): Promise<StageName[]>
  path(...parts: string[]): string
}

/** Another computer, with the same commit checked out. */
async function runner(name: string): Promise<Runner> {
  const folder = join(base, name)
  await cp('examples/license-server', folder, {
    recursive: true,
    filter: (path) => !path.endsWith('license-server/build'),
  })
  const project = await openProject(folder, 'appliance.yml')
  const log = quietLog()
  const door = { log, signal: new AbortController().signal, entry: [] }
  const by = carrier(shared, undefined, log)
  const made: Partial<Record<StageName, Execution>> = {}
  const path = (...parts: string[]) => join(project.buildDirectory, ...parts)
  return {
    project,
    said: log.lines,
    path,
    async makes(stageName, content = `the disk of ${stageName}`) {
      const stage = stageNamed(stageName)
      const work = stageWork(stage, project, {}, log, door.signal, {})
      await mkdir(work.outDirectory, { recursive: true })
      await writeFile(join(work.outDirectory, 'disk.qcow2'), content)
      const outputs = {
        disk: { path: join(work.outDirectory, 'disk.qcow2') },
        ...(stageName === 'vm-validate' && {
          verdict: { value: 'passed' },
          'disk-sha256': { value: 'its digest' },
        }),
      }
      const record = await writeRecord(work.outDirectory, stageName, await stage.dependsOn(work), {
        outputs,
        tools: {},
      })
      made[stageName] = { record, folder: work.outDirectory } as Execution
    },
    carriesOut: (stage) => carryOut(made[stage]!, project, by, door),
    carriesIn: (stage, whole = true) => carryIn(stage, project, by, door, whole),
    plans: () => stagesToRun(project, by, door),
  }
}

/** A runner that made and carried the first stages. */
async function maker(...stages: StageName[]): Promise<Runner> {
  const maker = await runner('maker')
  for (const stage of stages) {
    await maker.makes(stage)
    await maker.carriesOut(stage)
  }
  return maker
}

async function carried(stage: StageName, end: '.json' | '.tar.zst'): Promise<string> {
  const names = await readdir(shared)
  return join(shared, names.find((name) => name.startsWith(`appliance-${stage}-`) && name.endsWith(end))!)
}

const later: StageName[] = ['chef-provision', 'vm-validate', 'ova-pack']

test('what one runner made is there for another, byte for byte, and need not be made again', async () => {
  await maker('veewee-basebox')
  const other = await runner('other')
  expect(await other.plans()).toEqual(later)
  await other.carriesIn('chef-provision')
  expect(await readFile(other.path('veewee-basebox/disk.qcow2'), 'utf8')).toBe('the disk of veewee-basebox')
})

test('a part of a stage gets what it needs, and leaves what is there of its own', async () => {
  await maker('veewee-basebox', 'chef-provision', 'vm-validate')
  const other = await runner('other')
  await mkdir(other.path('vm-validate/selected'), { recursive: true })
  await other.carriesIn('vm-validate', false)
  expect(await readFile(other.path('chef-provision/disk.qcow2'), 'utf8')).toBe('the disk of chef-provision')
  expect(await readdir(other.path('vm-validate'))).toEqual(['selected'])
})

describe('what is damaged is named, taken away and made again:', () => {
  const damages: Record<string, [damage: (archive: string) => Promise<unknown>, said: RegExp]> = {
    'an archive that was cut short': [
      async (archive) => truncate(archive, (await stat(archive)).size - 40),
      /it cannot be unpacked: /,
    ],
    'an archive of nothing': [(archive) => writeFile(archive, ''), /it cannot be unpacked: /],
    'another disk in it': [
      (archive) => repacked(archive, (folder) => writeFile(join(folder, 'disk.qcow2'), 'some other disk')),
      /disk in it is not what its record says/,
    ],
    'a link in it': [
      (archive) => repacked(archive, (folder) => run('ln', ['-s', '/etc/passwd', join(folder, 'link')])),
      /link in it is neither file nor folder/,
    ],
    'no record in it': [
      (archive) => repacked(archive, (folder) => rm(join(folder, 'stage.json'))),
      /stage\.json in it is no record of veewee-basebox/,
    ],
  }

  test.each(Object.entries(damages))('%s', async (_, [damage, said]) => {
    await maker('veewee-basebox')
    const archive = await carried('veewee-basebox', '.tar.zst')
    await damage(archive)
    const other = await runner('other')
    expect(await other.plans()).toEqual(later)
    const error = await other.carriesIn('chef-provision').then(
      () => undefined,
      (thrown: Error) => thrown,
    )
    expect(error).toMatchObject({
      code: 'digest-mismatch',
      message: expect.stringMatching(said),
      hint: expect.stringContaining('then veewee-basebox is made again'),
    })
    const file = archive.slice(shared.length + 1)
    expect(error!.message).toMatch(
      new RegExp(`^chef-provision: ${file} in ${shared} is damaged \\(.*taken away$`),
    )
    expect(await readdir(shared)).toEqual([])

    // All jobs again, also on the runner that has the record by now.
    expect(await other.plans()).toEqual(['veewee-basebox', ...later])
    const again = await runner('again')
    await again.carriesIn('veewee-basebox')
    await again.makes('veewee-basebox')
    await again.carriesOut('veewee-basebox')
    await other.carriesIn('chef-provision')
    expect(await readFile(other.path('veewee-basebox/disk.qcow2'), 'utf8')).toBe('the disk of veewee-basebox')
  })

  test('a record that was cut short, by plan already', async () => {
    await maker('veewee-basebox')
    await truncate(await carried('veewee-basebox', '.json'), 100)
    const other = await runner('other')
    expect(await other.plans()).toEqual(['veewee-basebox', ...later])
    expect(other.said).toEqual([
      expect.stringMatching(/\.json in .* is damaged \(it is no record .*; veewee-basebox is made again$/),
    ])
    expect(await readdir(shared)).toEqual([])
  })

  test('the stage’s own result, by the stage itself', async () => {
    await maker('veewee-basebox')
    await truncate(await carried('veewee-basebox', '.tar.zst'), 100)
    const other = await runner('other')
    await other.carriesIn('veewee-basebox')
    expect(other.said).toEqual([
      expect.stringMatching(/\.tar\.zst in .* is damaged .*; veewee-basebox is made again$/),
    ])
    expect(await readdir(shared)).toEqual([])
  })

  test('a record whose archive was deleted', async () => {
    const { carriesOut } = await maker('veewee-basebox')
    await rm(await carried('veewee-basebox', '.tar.zst'))
    expect(await (await runner('other')).plans()).toEqual(['veewee-basebox', ...later])
    await carriesOut('veewee-basebox')
    expect(await (await runner('third')).plans()).toEqual(later)
  })
})

test('plan goes by what is carried, and spoils nothing that lies on its own computer', async () => {
  const here = await runner('here')
  await here.makes('veewee-basebox')
  expect(await here.plans()).toEqual(['veewee-basebox', ...later])
  await here.carriesOut('veewee-basebox')
  expect(await here.plans()).toEqual(later)
  expect(await readFile(here.path('veewee-basebox/disk.qcow2'), 'utf8')).toBe('the disk of veewee-basebox')

  // Another commit's result, and layers to go on from.
  const other = await runner('other')
  await mkdir(other.path('veewee-basebox/layers'), { recursive: true })
  await writeFile(other.path('veewee-basebox/layers/one'), 'a layer')
  expect(await other.plans()).toEqual(later)
  expect(await readFile(other.path('veewee-basebox/layers/one'), 'utf8')).toBe('a layer')
})

async function repacked(archive: string, change: (folder: string) => Promise<unknown>): Promise<void> {
  const folder = await mkdtemp(join(base, 'repacked-'))
  await run('tar', ['-x', '--zstd', '-f', archive, '-C', folder])
  await change(folder)
  await run('tar', ['-c', '--zstd', '-f', archive, '-C', folder, '.'])
}
