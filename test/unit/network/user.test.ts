import { expect, test } from '@jest/globals'
import { relayCommand, userNetdev } from '../../../actions/lib/network/user.ts'

test('the user network is closed but for the mirror and what is forwarded', () => {
  expect(
    userNetdev(
      new Map([
        [22, 40022],
        [80, 40080],
      ]),
      new Map([
        ['10.0.2.100:80', relayCommand('/opt/node/bin/node', 8080)],
        ['10.0.2.101:53', relayCommand('/opt/node/bin/node', 8053)],
      ]),
    ),
  ).toMatchInlineSnapshot(
    `"user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:40022-:22,hostfwd=tcp:127.0.0.1:40080-:80,guestfwd=tcp:10.0.2.100:80-cmd:"/opt/node/bin/node" -e "const s=require('net').connect(8080,,'127.0.0.1');process.stdin.pipe(s);s.pipe(process.stdout)",guestfwd=tcp:10.0.2.101:53-cmd:"/opt/node/bin/node" -e "const s=require('net').connect(8053,,'127.0.0.1');process.stdin.pipe(s);s.pipe(process.stdout)""`,
  )
})
