import { afterEach, expect, test } from '@jest/globals'
import { driverNamed } from '../../../actions/lib/hypervisor/drivers.ts'
import { keptLog } from '../../fixtures/machine-room.ts'

const path = process.env.PATH
afterEach(() => {
  process.env.PATH = path
})

test('a driver that cannot work here says everything it lacks, and how to get it', async () => {
  // Nothing is found but what starts programs.
  process.env.PATH = '/nowhere'
  const network = () => {
    throw new Error('nothing is booted to ask')
  }
  const error = await driverNamed('virtualbox', { network, log: keptLog() }).catch((thrown) => thrown)
  expect(error).toMatchObject({ code: 'missing-tool', message: expect.stringMatching(/^virtualbox: /) })
  expect(error.message).toContain('VBoxManage is not installed; socat is not installed')
  expect(error.hint).toContain('apt-get install socat')
})
