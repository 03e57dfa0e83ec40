import {
  appendFile,
  mkdir,
  mkdtemp,
  readFile,
  readlink,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import type { ProvisionReport } from '../../../actions/chef-provision/report.ts'
import type { Guest } from '../../../actions/lib/guest/guest.ts'
import type { ProvisionStep } from '../../../actions/lib/spec/spec.ts'
import { isInside, testsInside } from '../../fixtures/inside.ts'
import { shelfIn, smallCourse } from '../../fixtures/provision-course.ts'
import { cannotMakeSmallDisk, smallDisk } from '../../fixtures/small-disk.ts'

jest.setTimeout(600_000)
const why = await cannotMakeSmallDisk()
if (why) test.skip(`layers: skipped, because ${why}`, () => {})
else if (!isInside()) {
  await smallDisk() // inside, there is nothing to make it from
  await testsInside(import.meta.url)
} else layers()

/** The steps on a real machine, run after run, with one thing changed each time. */
function layers(): void {
  let project: string
  const file = (name: string) => join(project, name)
  const shelf = () => shelfIn(project)

  beforeAll(async () => {
    project = await mkdtemp(join(tmpdir(), 'layers-'))
    await mkdir(file('app/bin'), { recursive: true })
    await writeFile(file('app/bin/run'), '#!/bin/sh\n', { mode: 0o755 })
    await writeFile(file('app/VERSION'), '1\n')
  })
  afterAll(() => rm(project, { recursive: true }))

  const steps = (): ProvisionStep[] => [
    {
      kind: 'shell',
      inline: 'echo first >> /root/steps; echo kept > /run/kept; echo "$COLOUR" > /root/colour',
      env: { COLOUR: 'blue' },
    },
    { kind: 'upload', from: file('app'), to: '/opt/app', owner: 'worker', group: 'worker' },
    {
      kind: 'shell',
      inline: 'echo third >> /root/steps; cat /opt/app/VERSION >> /root/steps',
      interpreter: 'sh -eu',
    },
  ]

  const course = <T>(provision: ProvisionStep[], look: (guest: Guest) => Promise<T>, from?: number) =>
    smallCourse(project, provision, look, { from })
  const state = async (guest: Guest) =>
    (await guest.run('cat /root/steps /run/kept /root/colour; stat -c "%U %a" /opt/app/bin/run')).stdout
      .split('\n')
      .slice(0, -1)
  const first = ['shell inline', 'upload app to /opt/app', 'shell inline (2)']

  test('all steps run on a new base, in order, with what they asked for', async () => {
    const { seen, ran } = await course(steps(), state)
    expect(ran).toEqual(first)
    expect(seen).toEqual(['first', 'third', '1', 'kept', 'blue', 'worker 755'])
  })

  test('where nothing changed, nothing runs, and the machine is as it was, memory and all', async () => {
    const { seen, ran } = await course(steps(), state)
    expect(ran).toEqual([])
    expect(seen).toEqual(['first', 'third', '1', 'kept', 'blue', 'worker 755'])
  })

  test('a changed file: what comes before it does not run again, and the file is named', async () => {
    await writeFile(file('app/VERSION'), '2\n')
    const { seen, ran, because } = await course(steps(), state)
    expect(ran).toEqual(first.slice(1))
    expect(because).toEqual(['app/VERSION changed'])
    expect(seen).toEqual(['first', 'third', '2', 'kept', 'blue', 'worker 755'])
  })

  test('a memory that is damaged is done without: the machine is booted from the disk it had', async () => {
    const layers = await (await shelf()).layers()
    for (const { key } of layers) await appendFile((await shelf()).memory(key), 'x') // another size
    const one = await course(
      steps(),
      (guest) => guest.run('cat /root/steps; ls /run/kept /run/prepared 2>/dev/null', { allowFailure: true }),
      3,
    )
    expect(one.ran).toEqual(first.slice(2))
    expect(one.seen.stdout).toBe('first\nthird\n2\n/run/prepared\n')
    // As long as it should be, but not what was written: it is noticed when it is read.
    const again = await (await shelf()).layers()
    const last = (await shelf()).memory(again.at(-1)!.key)
    const { size } = await stat(last)
    await truncate(last, size - 100)
    await truncate(last, size)
    const two = await course(steps(), (guest) => guest.run('cat /root/steps'))
    expect(two.seen.stdout).toBe('first\nthird\n2\n')
    expect(two.lines.join('\n')).toMatch(/the kept machine does not go on/)
  })

  test('a failing step leaves those before it, and tells what it last said', async () => {
    const broken = [
      ...steps().slice(0, 2),
      { kind: 'shell', inline: 'echo about to; echo it broke >&2; exit 7' } as const,
    ]
    await expect(course(broken, state)).rejects.toMatchObject({
      code: 'guest-failed',
      message: 'shell inline (2) failed (7); it last said: about to | it broke',
    })
    const { ran } = await course(steps(), state)
    expect(ran).toEqual([])
  })

  const more = (): ProvisionStep[] => [
    ...steps(),
    { kind: 'upload', from: file('app'), to: '/opt/app', owner: 'root', name: 'root’s' },
    {
      kind: 'shell',
      inline:
        'systemctl enable -q --now ssh; (sleep 3; touch /root/later) & echo "READY TO GO" > /dev/console; ln -s app /opt/current; ln -s releases/1 /opt/app/release',
    },
    { kind: 'wait_for', port: 22 },
    { kind: 'wait_for', file: '/root/later' },
    { kind: 'wait_for', unit: 'ssh.service' },
    { kind: 'wait_for', console: 'READY TO GO' },
    { kind: 'reboot' },
    { kind: 'download', from: '/opt/current', to: 'got/app' },
    { kind: 'shell', inline: 'true', name: 'the last' },
  ]
  const fetched = async () => {
    expect(await readFile(file('out/files/got/app/VERSION'), 'utf8')).toBe('2\n')
    expect((await stat(file('out/files/got/app/bin/run'))).mode & 0o777).toBe(0o755)
    expect(await readlink(file('out/files/got/app/release'))).toBe('releases/1')
  }
  const uploads = ({ steps: done }: ProvisionReport) =>
    Object.fromEntries(done.flatMap(({ title, upload }) => (upload ? [[title, upload]] : [])))
  const counts = {
    'upload app to /opt/app': { sent: 3, there: 0 },
    'root’s': { sent: 2, there: 1 },
  }

  let keys: readonly string[]

  test('restarts, waits, and fetches; only what changed is sent', async () => {
    await writeFile(file('app/VERSION'), '2\n')
    const {
      seen,
      report,
      keys: made,
    } = await course(more(), (guest) =>
      guest.run('ls /run/kept /run/prepared; stat -c "%U %a" /opt/app/bin/run', { allowFailure: true }),
    )
    keys = made
    expect(seen.stdout).toBe('/run/prepared\nroot 755\n')
    expect(uploads(report)).toEqual(counts)
    await fetched()
    // From their layers, downloads are there all the same, over what an earlier run has left.
    await rm(file('out/files/got/app/VERSION'))
    await course(more(), async () => {})
    await fetched()
    // What an earlier boot said is no sign of this one; what it says after a layer, or said before it, is.
    const restarted: ProvisionStep[] = [...more(), { kind: 'shell', inline: 'echo UP AGAIN > /dev/console' }]
    await course(restarted, async () => {})
    await expect(
      course([...restarted, { kind: 'wait_for', console: 'READY TO GO', timeout: 3000 }], state),
    ).rejects.toThrow(/^the console did not show "READY TO GO" within 3\.0 s/)
    const waiting = await course(
      [...restarted, { kind: 'wait_for', console: 'UP AGAIN', timeout: 3000 }],
      async () => {},
    )
    expect(waiting.ran).toEqual(['wait_for "UP AGAIN"'])
    await expect(course([...more(), { kind: 'wait_for', port: 4444, timeout: 3000 }], state)).rejects.toThrow(
      /^wait_for 4444: nobody listens at port 4444 after 3\.0 s; listened at: .*22/,
    )
  })

  test('what is kept stays within its limits, and what remains is still of use', async () => {
    const kept = await shelf()
    const before = await kept.layers()
    expect(before.length).toBeGreaterThan(5)
    expect((await kept.prune(keys, { layers: 1, size: 20 * 2 ** 30 })).layers).toBe(1)
    // What steps gave is there, although their layers have become part of the last one.
    await rm(file('out/files'), { recursive: true })
    const { ran, seen, report } = await course(more(), (guest) => guest.run('cat /root/steps'))
    expect(ran).toEqual([])
    expect(seen.stdout).toBe('first\nthird\n2\n')
    expect(uploads(report)).toEqual(counts)
    await fetched()
  })
}
