import { test } from '@jest/globals'
import { qemu } from '../../actions/lib/hypervisor/qemu/hypervisor.ts'
import { privateNetwork } from '../../actions/lib/network/private.ts'
import { isInside, testsInside } from '../fixtures/inside.ts'
import { serveEcho } from '../fixtures/machine-room.ts'
import { cannotMakeSmallDisk, smallDisk } from '../fixtures/small-disk.ts'
import { hypervisorContract } from './hypervisor-suite.ts'

const why = await cannotMakeSmallDisk()
if (why) test.skip(`qemu: skipped, because ${why}`, () => {})
else if (!isInside()) {
  await smallDisk() // inside, there is nothing to make it from
  await testsInside(import.meta.url)
} else
  hypervisorContract({
    name: 'qemu in the private network, BIOS',
    openNetwork: (log) => privateNetwork({ serve: serveEcho, log }),
    driver: qemu,
    machine: { firmware: 'bios', nic: 'virtio', controller: 'virtio' },
  })
