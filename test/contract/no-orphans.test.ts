import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { canEnter } from '../../actions/lib/network/enter.ts'
import { start } from '../../actions/lib/process/command.ts'
import { processesWith } from '../fixtures/machine-room.ts'

jest.setTimeout(60_000)

const problems = await canEnter()
const place = problems.length > 0 ? ` (skipped, because ${problems.map(({ what }) => what).join('; ')})` : ''
const possibly = place ? test.skip : test

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'no-orphans-'))
})
afterEach(() => rm(folder, { recursive: true }))

possibly.each(['SIGKILL', 'SIGTERM'] as const)(
  `after %s nothing that we started runs on${place}`,
  async (signal) => {
    const name = `orphan-${process.pid}-${signal}`
    const node = resolve('node_modules/node/bin/node') // one that runs TypeScript as it is
    let said = ''
    const ours = await start(
      node,
      ['--no-warnings', resolve('test/fixtures/boot-and-wait.ts'), folder, name],
      {
        env: { TMPDIR: folder },
        onOutput: (text) => {
          said += text
        },
      },
    )
    await until(
      () => said.includes('running'),
      () => said,
    )
    const running = await processesWith(name)
    expect(running.length).toBeGreaterThanOrEqual(3) // ourselves, the one inside, QEMU
    const dnsmasq = (await readdir(folder)).find((entry) => entry.startsWith('appliance-net-'))!
    const leases = `--dhcp-leasefile=${join(folder, dnsmasq, 'leases')}`
    expect(await processesWith(leases)).toHaveLength(1)

    process.kill(ours.pid, signal)
    await until(
      async () => (await processesWith(name)).length === 0 && (await processesWith(leases)).length === 0,
    )
  },
)

async function until(
  so: () => boolean | Promise<boolean>,
  otherwise: () => string = () => '',
): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (await so()) return
    await new Promise((wake) => setTimeout(wake, 100))
  }
  throw new Error(`it did not come to that in 20 s: ${otherwise()}`)
}
