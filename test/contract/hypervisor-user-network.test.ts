import { test } from '@jest/globals'
import { qemu } from '../../actions/lib/hypervisor/qemu/hypervisor.ts'
import { userNetwork } from '../../actions/lib/network/user.ts'
import { serveEcho } from '../fixtures/machine-room.ts'
import { cannotMakeSmallDisk } from '../fixtures/small-disk.ts'
import { hypervisorContract } from './hypervisor-suite.ts'

const why = await cannotMakeSmallDisk()
if (why) test.skip(`qemu: skipped, because ${why}`, () => {})
else
  hypervisorContract({
    name: 'qemu in its own closed network, UEFI',
    openNetwork: (log) => userNetwork({ serve: serveEcho, log }),
    driver: qemu,
    machine: { firmware: 'uefi', nic: 'virtio', controller: 'virtio' },
  })
