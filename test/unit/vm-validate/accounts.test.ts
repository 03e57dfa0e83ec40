import { expect, test } from '@jest/globals'
import { accountFaults } from '../../../actions/vm-validate/checks/accounts.ts'

const usual = `root 0 /bin/bash locked
daemon 1 /usr/sbin/nologin locked
app 998 /usr/sbin/nologin locked
`
const nobody = { users: [], root: undefined }

test('nobody but who is declared has a password, a shell, or root’s number', () => {
  const faults = (line: string) => accountFaults(usual + line, nobody)
  expect(faults('')).toEqual([])
  expect(faults('toor 0 /usr/sbin/nologin locked\n')).toEqual(['toor has uid 0: it is root by another name'])
  expect(faults('mary 1000 /bin/bash locked\n')).toEqual([
    'mary (uid 1000) can log in, and nobody declared it (basebox.bootstrap.users)',
  ])
  expect(faults('mary 500 /bin/bash empty\n')).toEqual(['mary can log in without a password'])
  expect(faults('app2 997 /usr/sbin/nologin set\n')).toEqual([
    'app2 has a password, which nobody declared (basebox.bootstrap.users)',
  ])
})

test('who is declared is there, with a password if one is declared', () => {
  const users = [{ name: 'admin', password: '$6$x$y' }, { name: 'deploy' }]
  const declared = { users, root: undefined }
  const both = 'admin 1000 /bin/bash set\ndeploy 1001 /bin/bash locked\n'
  expect(accountFaults(usual + both, declared)).toEqual([])
  expect(accountFaults(usual + both.replace('set', 'locked'), declared)).toEqual([
    'admin has no password, and one is declared (basebox.bootstrap.users)',
  ])
  expect(accountFaults(usual, declared)).toEqual([
    'admin is declared, and there is no such user',
    'deploy is declared, and there is no such user',
  ])
})

test('by whom a definition had it built is there, and is let in until it is sealed', () => {
  const table = `${usual}vagrant 1000 /bin/bash set\n`
  const builder = (name: string, locked: boolean) => ({ ...nobody, builder: { name, locked } })
  expect(accountFaults(table, builder('vagrant', false))).toEqual([])
  expect(accountFaults(table, builder('vagrant', true))).toEqual([
    'vagrant has a password, which nobody declared (basebox.bootstrap.users)',
  ])
  expect(accountFaults(table.replace(' set', ' locked'), builder('vagrant', true))).toEqual([])
  expect(accountFaults(table.replace(' set', ' empty'), builder('vagrant', false))).toEqual([
    'vagrant can log in without a password',
  ])
  const open = usual.replace('/bin/bash locked', '/bin/bash set')
  expect(accountFaults(open, builder('root', false))).toEqual([])
  expect(accountFaults(open, builder('root', true))).toHaveLength(1)
})

test('root gets in as pack.root says', () => {
  const open = usual.replace('/bin/bash locked', '/bin/bash set')
  const withPassword = { users: [], root: { password: 'env:ROOT' } }
  expect(accountFaults(open, nobody)).toEqual(['root has a password, which nobody declared (pack.root)'])
  expect(accountFaults(open, withPassword)).toEqual([])
  expect(accountFaults(usual, withPassword)).toEqual([
    'root has no password, and one is declared (pack.root)',
  ])
  expect(accountFaults(open, { users: [], root: { key: '/keys/admin.pub' } })).toHaveLength(1)
  expect(accountFaults(open, { users: [], root: 'asks-at-first-boot' })).toHaveLength(1)
})
