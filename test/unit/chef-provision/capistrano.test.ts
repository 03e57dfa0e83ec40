import { expect, test } from '@jest/globals'
import { abortedFor } from '../../../actions/chef-provision/capistrano/deploy.ts'

test('what a deployment was aborted for is told, not the log that Capistrano repeats after it', () => {
  const stderr = `#<Thread:0x1 run> terminated with exception
(Backtrace restricted to imported tasks)
cap aborted!
SSHKit::Runner::ExecuteError: Exception while executing as deploy@shop.example.com: mkdir exit status: 1
mkdir stdout: Nothing written
mkdir stderr: mkdir: cannot create directory '/srv/shop/releases': Permission denied


Caused by:
SSHKit::Command::Failed: mkdir exit status: 1

Tasks: TOP => deploy:check:directories
** Refer to log/capistrano.log for details.
`
  expect(abortedFor(stderr)).toBe(
    "SSHKit::Runner::ExecuteError: Exception while executing as deploy@shop.example.com: mkdir exit status: 1 | mkdir stderr: mkdir: cannot create directory '/srv/shop/releases': Permission denied",
  )
  expect(abortedFor('ruby: No such file or directory')).toBeUndefined()
})
