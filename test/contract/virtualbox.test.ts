import { test } from '@jest/globals'
import { virtualbox } from '../../actions/lib/hypervisor/virtualbox/hypervisor.ts'
import { privateNetwork } from '../../actions/lib/network/private.ts'
import { isInside, testsInside } from '../fixtures/inside.ts'
import { keptLog, serveEcho } from '../fixtures/machine-room.ts'
import { cannotMakeSmallDisk, smallDisk } from '../fixtures/small-disk.ts'
import { hypervisorContract } from './hypervisor-suite.ts'

const network = () => {
  throw new Error('nothing is booted to ask')
}
const problems = await virtualbox({ network, log: keptLog() }).preflight()
const why = problems.map(({ what }) => what).join('; ') || (await cannotMakeSmallDisk())
if (why) test.skip(`virtualbox: skipped, because ${why}`, () => {})
else if (!isInside()) {
  await smallDisk() // inside, there is nothing to make it from
  await testsInside(import.meta.url)
} else
  hypervisorContract({
    name: 'virtualbox in the private network, BIOS',
    openNetwork: (log) => privateNetwork({ serve: serveEcho, log }),
    driver: virtualbox,
    machine: { firmware: 'bios', nic: 'virtio', controller: 'ahci' },
  })
