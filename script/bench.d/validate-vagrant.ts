import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exists } from '../../actions/lib/files/exists.ts'
import { vagrant } from '../../actions/lib/hypervisor/vagrant/hypervisor.ts'
import { run } from '../../actions/lib/process/command.ts'
import { insideOrAgain, withExample } from '../../test/fixtures/campaign/example-machine.ts'

/** Times Vagrant and virsh going back to the same running machine; prints JSON, seconds, or why not. */
const network = () => {
  throw new Error('nothing is booted to ask')
}
const [problem] = await vagrant({ network, log: {} as never }).preflight()
if (problem) {
  console.log(JSON.stringify({ why: problem.what }))
  process.exit()
}
await insideOrAgain()
const [project = 'build/e2e/license-server', rounds = '3'] = process.argv.slice(2)
await withExample(
  project,
  async ({ test, course: { signal } }) => {
    const timed = async (work: () => Promise<unknown>) => {
      const began = performance.now()
      await work()
      return (performance.now() - began) / 1000
    }
    const driver: number[] = []
    for (let round = 0; round < Number(rounds); round++) {
      await test.guest.run('dd if=/dev/urandom of=/var/tmp/noise bs=1M count=16 2>/dev/null; sync', {
        signal,
      })
      test.touch()
      driver.push(await timed(() => test.rewind(signal)))
    }
    const revert: number[] = []
    const socket = await newestSocket()
    if (socket && (await exists('/usr/bin/virsh')))
      for (let round = 0; round < Number(rounds); round++)
        revert.push(
          await timed(() =>
            run('virsh', [
              ...['-c', `qemu:///system?socket=${socket}`],
              ...['snapshot-revert', 'validate-default', 'pristine', '--running', '--force'],
            ]),
          ),
        )
    console.log(JSON.stringify({ driver, revert }))
  },
  vagrant,
)
process.exit()

/** The libvirtd of the machine that was booted last. */
async function newestSocket(): Promise<string | undefined> {
  const folders = (await readdir(tmpdir())).filter((name) => name.startsWith('appliance-vm-'))
  const sockets = folders.map((name) => join(tmpdir(), name, 'libvirt-sock'))
  for (const socket of sockets) {
    const uri = `qemu:///system?socket=${socket}`
    const { stdout } = await run('virsh', ['-c', uri, 'list', '--name'], { allowFailure: true }).catch(
      () => ({
        stdout: '',
      }),
    )
    if (stdout.includes('validate-default')) return socket
  }
  return undefined
}
