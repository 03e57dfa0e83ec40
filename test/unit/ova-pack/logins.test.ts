import { expect, test } from '@jest/globals'
import { loginsIn, openDoors } from '../../../actions/ova-pack/logins.ts'

const passwd = `root:x:0:0::/root:/bin/bash
daemon:x:1:1::/usr/sbin:/usr/sbin/nologin
ada:x:1000:1000::/home/ada:/bin/bash
bob:x:1001:1001::/home/bob:/bin/bash
eve:x:1002:1002::/home/eve:/bin/sh
www-data:x:33:33::/var/www:/usr/sbin/nologin
deploy:x:1003:27::/srv/deploy/:/bin/bash
old:$1$abc$def:1004:1004::/home/old:/bin/sh
`
const shadow = `root:!*:1::::::
daemon:*:1::::::
ada:$y$j9T$x:1::::::
bob:!$6$locked:1::::::
eve::1::::::
www-data:*:1::::::
deploy:!:1::::::
old:*:1::::::
`
const group = 'sudo:x:27:ada\nops:x:50:bob,eve\n'
const files = { passwd, shadow, group, sudoers: [], keys: new Map() }
const row = (account: string, more: object = {}) => ({
  ...{ account, password: 'none', keys: 0, sudo: 'no', noShell: false },
  ...more,
})

test('root is always told, the others by what lets them in', () => {
  const keys = new Map([['/srv/deploy', '# two\nssh-ed25519 AAAA a\n\nrestrict ssh-rsa AAAA b\n']])
  expect(loginsIn({ ...files, keys })).toEqual([
    row('root'),
    row('ada', { password: 'set' }),
    row('eve', { password: 'empty' }),
    row('deploy', { keys: 2 }),
    row('old', { password: 'set' }),
  ])
})

test('who becomes root by sudo: by name, number, group and alias; NOPASSWD even of those who cannot log in', () => {
  const sudoers = [
    'Defaults env_reset\nroot ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n#bob ALL=(ALL) NOPASSWD: ALL\n',
    'User_Alias WEB = www-data, nobody\nCmnd_Alias RESTART = /bin/systemctl\nWEB ALL = NOPASSWD: RESTART\n',
    '#1004 ALL=(ALL) ALL\neve, bob ALL=(ALL) \\\n  NOPASSWD: ALL\n',
  ]
  expect(loginsIn({ ...files, sudoers })).toEqual([
    row('root', { sudo: 'password' }),
    row('ada', { password: 'set', sudo: 'password' }),
    row('bob', { sudo: 'nopasswd' }),
    row('eve', { password: 'empty', sudo: 'nopasswd' }),
    row('www-data', { sudo: 'nopasswd', noShell: true }),
    row('old', { password: 'set', sudo: 'password' }),
  ])
})

test('an empty password is told when packing', () => {
  expect(openDoors(loginsIn(files), {})).toEqual([
    'eve has an empty password in the shipped machine: everybody gets in',
  ])
})
