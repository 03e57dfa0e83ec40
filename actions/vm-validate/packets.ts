import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Cable } from '../lib/hypervisor/hypervisor.ts'
import { formatSize } from '../lib/units/size.ts'
import type { TestMachine } from './test-machine.ts'

/** Bytes of a machine's packets that are recorded. */
const MOST = 64 << 20
/** How often their file is looked at (ms). */
const OFTEN = 500

/** What goes over the network of a scenario's machines, the first bytes of every packet: a file for each machine. */
export interface Packets extends AsyncDisposable {
  /** Records what is there now, if that is another machine than before. */
  follow(): Promise<void>
  /** Files (pcap) in the order of the machines. */
  readonly files: readonly string[]
  /** What was not recorded. */
  readonly remarks: readonly string[]
}

/**
 * @param folder for the files
 * @param most bytes of each
 */
export function recordPackets(test: TestMachine, folder: string, most = MOST): Packets {
  const files: string[] = []
  const remarks: string[] = []
  let recorded: Cable | undefined
  let over: (() => Promise<void>) | undefined
  const follow = async () => {
    const cable = test.machine?.cable
    if (cable === recorded) return
    await over?.()
    over = undefined
    recorded = cable
    if (!cable) return
    const name = `packets${files.length === 0 ? '' : `-${files.length + 1}`}.pcap`
    const path = join(folder, `.${name}`)
    const begun = await cable.record(path).then(
      () => true,
      () => false,
    )
    if (!begun) return
    files.push(path)
    let stopped: Promise<void> | undefined
    const stop = () => {
      clearInterval(watch)
      stopped ??= cable.record(undefined).catch(() => {})
      return stopped
    }
    const watch = setInterval(async () => {
      const { size } = await stat(path).catch(() => ({ size: 0 }))
      if (size < most || stopped) return
      remarks.push(`${name} ends where it had reached ${formatSize(most)}`)
      await stop()
    }, OFTEN)
    over = stop
  }
  return {
    files,
    remarks,
    follow,
    [Symbol.asyncDispose]: async () => await over?.(),
  }
}
