import { test } from '@jest/globals'
import { vagrant } from '../../actions/lib/hypervisor/vagrant/hypervisor.ts'
import { privateNetwork } from '../../actions/lib/network/private.ts'
import { isInside, testsInside } from '../fixtures/inside.ts'
import { keptLog, serveEcho } from '../fixtures/machine-room.ts'
import { cannotMakeSmallDisk, smallDisk } from '../fixtures/small-disk.ts'
import { hypervisorContract } from './hypervisor-suite.ts'

const network = () => {
  throw new Error('nothing is booted to ask')
}
const problems = await vagrant({ network, log: keptLog() }).preflight()
const why =
  process.env.APPLIANCE_TESTS === 'full'
    ? problems.map(({ what }) => what).join('; ') || (await cannotMakeSmallDisk())
    : 'it boots four machines by Vagrant, some minutes: script/test full'
if (why) test.skip(`vagrant: skipped, because ${why}`, () => {})
else if (!isInside()) {
  await smallDisk() // inside, there is nothing to make it from
  await testsInside(import.meta.url)
} else
  hypervisorContract({
    name: 'vagrant with libvirt in the private network, BIOS',
    openNetwork: (log) => privateNetwork({ serve: serveEcho, log }),
    driver: vagrant,
    machine: { firmware: 'bios', nic: 'virtio', controller: 'virtio' },
  })
