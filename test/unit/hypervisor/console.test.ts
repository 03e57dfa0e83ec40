import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { QemuConsole } from '../../../actions/lib/hypervisor/qemu/console.ts'
import type { Qmp } from '../../../actions/lib/hypervisor/qemu/qmp.ts'

/** A monitor that takes its time, and no keys while the machine stands still. */
function slowMonitor() {
  let running = true
  const pressed: unknown[] = []
  const qmp = {
    async execute(command: string, { events, filename }: { events?: unknown; filename?: string } = {}) {
      await pause(1)
      if (command === 'stop' || command === 'cont') running = command === 'cont'
      if (command === 'pmemsave') await writeFile(filename!, Buffer.alloc(1 << 15))
      if (command !== 'input-send-event') return
      if (!running) throw new Error('VM not running')
      pressed.push(events)
    },
    async human() {
      await pause(1)
      return '= 0x0'
    },
  }
  return { qmp: qmp as unknown as Qmp, pressed }
}

test('keys are pressed while somebody reads the screen, as a film of it does', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'console-'))
  try {
    const { qmp, pressed } = slowMonitor()
    const console = new QemuConsole(qmp, join(folder, 'screen'))
    const film = (async () => {
      for (let n = 0; n < 15; n++) expect((await console.text())!.rows).toHaveLength(25)
    })()
    for (let n = 0; n < 15; n++) await console.press(['a'])
    await film
    expect(pressed).toHaveLength(15)
  } finally {
    await rm(folder, { recursive: true })
  }
})
