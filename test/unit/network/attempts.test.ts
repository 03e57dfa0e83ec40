import { describe, expect, test } from '@jest/globals'
import { escapeLine, grave, judged, watched } from '../../../actions/lib/network/attempts.ts'
import { harmlessReason } from '../../../actions/lib/network/harmless.ts'
import type { Attempt, MachineNetwork } from '../../../actions/lib/network/network.ts'
import { attempts } from '../../../actions/lib/network/private.ts'

const who = 'machine box'

describe('who it was', () => {
  const dns = (from: string, name: string) => `Nov 23 12:19:12 dnsmasq[31]: query[A] ${name} from ${from}\n`
  const given = (address: string, mac: string) =>
    `Nov 23 12:19:09 dnsmasq-dhcp[31]: DHCPACK(appliance0) ${address} ${mac} box\n`
  const [first, second] = ['52:54:00:77:00:10', '52:54:00:77:00:11']
  const log = given('10.77.0.87', first) + given('10.77.0.88', second)
  const none = '{"nftables": []}'
  const both = new Map([
    [first, 'one'],
    [second, 'two'],
  ])

  test('is told by the address that each machine was given, and our own programs apart', () => {
    const asked =
      log + ['10.77.0.88', '10.77.0.1', '127.0.0.1', '10.77.0.99'].map((ip) => dns(ip, 'a.org')).join('')
    expect(attempts(none, asked, both).map((one) => one.who)).toEqual([
      'machine two',
      'a program on this computer',
      'a program on this computer',
      'a machine at 10.77.0.99',
    ])
  })

  test('is the only machine, whatever address it took', () => {
    const asked = dns('10.77.0.99', 'a.org')
    expect(attempts(none, asked, new Map([[first, 'one']]))[0]!.who).toBe('machine one')
  })
})

describe('what every system does by itself is harmless, with a reason', () => {
  test.each([
    ['2.debian.pool.ntp.org', 'dns'],
    ['pool.ntp.org', 'dns'],
    ['0.pool.ntp.org', 'dns'],
    ['ntp.ubuntu.com', 'dns'],
    ['time1.google.com', 'dns'],
    ['192.0.2.8', 'udp/123'],
    ['builder.example.com', 'dns'],
    ['database', 'dns'],
    ['appliance.example.test', 'dns'],
    ['printer.local', 'dns'],
    ['1.1.168.192.in-addr.arpa', 'dns'],
    ['2.15.31.172.in-addr.arpa', 'dns'],
    ['1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.e.f.ip6.arpa', 'dns'],
    ['169.254.169.254', 'tcp/80'],
  ])('%s (%s)', (to, how) => {
    expect(harmlessReason({ to, how }, 'builder.example.com')).toEqual(expect.any(String))
  })
})

describe('and nothing else is', () => {
  test.each([
    ['deb.debian.org', 'dns'],
    ['security.debian.org', 'dns'],
    ['notpool.ntp.org.evil.com', 'dns'],
    ['evilpool.ntp.org', 'dns'],
    ['example.com', 'dns'],
    ['latest.com', 'dns'],
    ['8.8.8.8.in-addr.arpa', 'dns'],
    ['5.32.172.in-addr.arpa', 'dns'],
    ['192.0.2.8', 'tcp/123'],
    ['192.0.2.8', 'icmp'],
    ['8.8.8.8', 'udp/53'],
    ['10.1.2.3', 'tcp/443'],
  ])('%s (%s)', (to, how) => {
    expect(harmlessReason({ to, how }, 'builder')).toBeUndefined()
  })
})

test('attempts of one kind are one, sorted', () => {
  const list: Attempt[] = [
    { who, to: 'b.org', how: 'dns', times: 1 },
    { who, to: 'a.org', how: 'dns', times: 1 },
    { who, to: 'b.org', how: 'dns', times: 2 },
    { who: 'a machine', to: 'b.org', how: 'dns', times: 1 },
    { who, to: 'box', how: 'dns', times: 1 },
  ]
  const found = judged(list, 'builder')
  expect(found.map((one) => [one.who, one.to, one.times])).toEqual([
    ['a machine', 'b.org', 1],
    [who, 'a.org', 1],
    [who, 'b.org', 3],
    [who, 'box', 1],
  ])
  expect(grave(found).map(({ to }) => to)).toEqual(['b.org', 'a.org', 'b.org'])
})

test('a line says who, what, how, how often and when, and stays one line', () => {
  const one = { who, to: 'deb.debian.org', how: 'dns', times: 2 }
  expect(escapeLine(one)).toBe('machine box: deb.debian.org (dns), 2 ×')
  expect(escapeLine({ ...one, during: ['boot', 'shell a.sh'], harmless: 'so' })).toBe(
    'machine box: deb.debian.org (dns), 2 ×, during boot, shell a.sh: so',
  )
  expect(escapeLine({ ...one, to: 'a\n\u001b[31m' })).not.toMatch(/\p{Cc}/u)
})

describe('what went on meanwhile', () => {
  const list: Attempt[] = []
  const network: MachineNetwork = {
    kind: 'private',
    mirrorUrl: 'http://mirror',
    plug: () => Promise.reject(new Error('no plug')),
    escapes: async () => judged(list, 'builder'),
    [Symbol.asyncDispose]: async () => {},
  }
  const attempt = (to: string) => void list.push({ who, to, how: 'dns', times: 1 })
  const during = async (seen: MachineNetwork) =>
    Object.fromEntries((await seen.escapes()).map((one) => [one.to, one.during]))

  test('is known of each attempt, the innermost thing of several, also when it failed', async () => {
    const seen = watched(network)
    attempt('before.org')
    await seen.during('boot', async () => attempt('boot.org'))
    await seen.during('step', async () => {
      attempt('step.org')
      await seen.during('inner', async () => attempt('inner.org'))
      attempt('boot.org')
    })
    const failing = seen.during('broken', async () => {
      attempt('broken.org')
      throw new Error('broken')
    })
    await expect(failing).rejects.toThrow('broken')
    attempt('after.org')
    expect(await during(seen)).toEqual({
      'before.org': undefined,
      'boot.org': ['boot', 'step'],
      'step.org': ['step'],
      'inner.org': ['inner'],
      'broken.org': ['broken'],
      'after.org': undefined,
    })
  })
})
