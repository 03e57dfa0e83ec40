import { expect, test } from '@jest/globals'
import { parseCron } from '../../../actions/vm-validate/steps/cron.ts'

test('crontabs are read as cron reads them', () => {
  const text = `# in /etc/crontab root 644 1
SHELL=/bin/sh
# m h dom mon dow user command
17 *  * * *  root  cd / && run-parts --report /etc/cron.hourly
# in /etc/cron.d/app root 644 1
PATH="/usr/local/bin:/bin"
30 2 * * 1-5 app backup day-$(date +\\%u).tar%input
@reboot root /bin/true
# in /var/spool/cron/crontabs/mary mary 600 1
*/5 * * * * echo hers
`
  expect(parseCron(text)).toEqual([
    {
      schedule: '17 * * * *',
      owner: 'root',
      command: 'cd / && run-parts --report /etc/cron.hourly',
      env: { SHELL: '/bin/sh' },
    },
    {
      schedule: '30 2 * * 1-5',
      owner: 'app',
      command: 'backup day-$(date +%u).tar',
      env: { PATH: '/usr/local/bin:/bin' },
    },
    { schedule: '@reboot', owner: 'root', command: '/bin/true', env: { PATH: '/usr/local/bin:/bin' } },
    { schedule: '*/5 * * * *', owner: 'mary', command: 'echo hers', env: {} },
  ])
})

test('what cron takes no notice of counts as such, by the rules of Debian’s cron or of cronie', () => {
  const table = (head: string) => `# in ${head}\n* * * * * root true\n`
  const own = (head: string) => `# in ${head}\n* * * * * true\n`
  const why = (text: string, debian = true) => parseCron(text, debian).map(({ ignored }) => ignored)
  expect(why(table('/etc/cron.d/backup root 644 1'))).toEqual([undefined])
  expect(why(table('/etc/cron.d/backup.sh root 644 1'))).toEqual([
    '/etc/cron.d/backup.sh: its name has more than letters, digits, - and _',
  ])
  expect(why(table('/etc/cron.d/backup.sh root 644 1'), false)).toEqual([undefined])
  expect(why(table('/etc/cron.d/backup.rpmsave root 644 1'), false)).toEqual([
    '/etc/cron.d/backup.rpmsave: its name is one of a copy',
  ])
  expect(why(table('/etc/cron.d/backup app 644 1'))).toEqual([
    '/etc/cron.d/backup: it belongs to app, not to root',
  ])
  expect(why(table('/etc/cron.d/backup root 664 1'))).toEqual([
    '/etc/cron.d/backup: others than its owner may write it (mode 664)',
  ])
  expect(why(table('/etc/crontab root 644 2'))).toEqual(['/etc/crontab: it has 2 hard links'])
  expect(why(own('/var/spool/cron/crontabs/mary mary 600 1'))).toEqual([undefined])
  expect(why(own('/var/spool/cron/crontabs/mary bob 600 1'))).toEqual([
    '/var/spool/cron/crontabs/mary: it belongs to bob, not to mary',
  ])
  expect(why(own('/var/spool/cron/crontabs/mary mary 644 1'))).toEqual([
    '/var/spool/cron/crontabs/mary: its mode is 644, not 600',
  ])
})

test('programs in the folders that a table names are entries of root’s', () => {
  expect(parseCron('# runs /etc/cron.daily/logrotate 755\n# runs /etc/cron.daily/notes 644\n')).toEqual([
    { schedule: '@daily', owner: 'root', command: '/etc/cron.daily/logrotate', env: {} },
    {
      schedule: '@daily',
      owner: 'root',
      command: '/etc/cron.daily/notes',
      env: {},
      ignored: '/etc/cron.daily/notes: it cannot be executed',
    },
  ])
})
