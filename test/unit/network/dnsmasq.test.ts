import { describe, expect, test } from '@jest/globals'
import { dnsmasqArguments, foreignNames, givenAddress } from '../../../actions/lib/network/dnsmasq.ts'

/** As dnsmasq 2.90 wrote it. */
const log = `Nov 23 12:19:02 dnsmasq[31]: started, version 2.90 cachesize 150
Nov 23 12:19:02 dnsmasq-dhcp[31]: DHCP, IP range 10.77.0.10 -- 10.77.0.250, lease time infinite
Nov 23 12:19:09 dnsmasq-dhcp[31]: DHCPDISCOVER(appliance0) 52:54:00:77:00:10
Nov 23 12:19:09 dnsmasq-dhcp[31]: DHCPOFFER(appliance0) 10.77.0.87 52:54:00:77:00:10
Nov 23 12:19:09 dnsmasq-dhcp[31]: DHCPREQUEST(appliance0) 10.77.0.87 52:54:00:77:00:10
Nov 23 12:19:09 dnsmasq-dhcp[31]: DHCPACK(appliance0) 10.77.0.87 52:54:00:77:00:10 small
Nov 23 12:19:11 dnsmasq[31]: query[A] mirror.internal from 10.77.0.87
Nov 23 12:19:11 dnsmasq[31]: config mirror.internal is 10.77.0.1
Nov 23 12:19:12 dnsmasq[31]: query[A] deb.debian.org from 10.77.0.87
Nov 23 12:19:12 dnsmasq[31]: config deb.debian.org is NXDOMAIN
Nov 23 12:19:12 dnsmasq[31]: query[AAAA] deb.debian.org from 10.77.0.87
Nov 23 12:19:12 dnsmasq[31]: config deb.debian.org is NXDOMAIN
Nov 23 12:19:13 dnsmasq[31]: query[AAAA] DEB.debian.org from 10.77.0.87
Nov 23 12:19:13 dnsmasq[31]: query[PTR] 1.0.77.10.in-addr.arpa from 10.77.0.87
Nov 23 12:19:14 dnsmasq[31]: query[type=65] rubygems.org from 10.77.0.87
`

describe('the escape report from the resolver', () => {
  test('names each foreign name once, with who wanted it and how often', () => {
    const host = 'Nov 23 12:19:15 dnsmasq[31]: query[A] rubygems.org from 127.0.0.1\n'
    expect(foreignNames(log + host)).toEqual([
      { from: '10.77.0.87', name: 'deb.debian.org', times: 2 },
      { from: '10.77.0.87', name: 'rubygems.org', times: 1 },
      { from: '127.0.0.1', name: 'rubygems.org', times: 1 },
    ])
  })

  test('is empty when only the mirror was asked for', () => {
    expect(foreignNames(log.split('\n').slice(0, 8).join('\n'))).toEqual([])
  })
})

describe('the address of a machine', () => {
  test('is what its MAC was acknowledged, however the MAC is written', () => {
    expect(givenAddress(log, '52:54:00:77:00:10')).toBe('10.77.0.87')
    expect(givenAddress(log.replaceAll('00:10', '00:AB').replaceAll('AB', 'ab'), '52:54:00:77:00:AB')).toBe(
      '10.77.0.87',
    )
  })

  test('is unknown while it was only offered, or belongs to another', () => {
    expect(givenAddress(log.replace(/.*DHCPACK.*\n/, ''), '52:54:00:77:00:10')).toBeUndefined()
    expect(givenAddress(log, '52:54:00:77:00:11')).toBeUndefined()
  })

  test('is the last one given', () => {
    const later = 'Nov 23 12:30:09 dnsmasq-dhcp[31]: DHCPACK(appliance0) 10.77.0.90 52:54:00:77:00:10\n'
    expect(givenAddress(log + later, '52:54:00:77:00:10')).toBe('10.77.0.90')
  })
})

test('dnsmasq is told to answer for nobody but the mirror', () => {
  expect(
    dnsmasqArguments({
      device: 'appliance0',
      address: '10.77.0.1',
      range: ['10.77.0.10', '10.77.0.250'],
      log: '/run/log',
      leases: '/run/leases',
    }),
  ).toMatchSnapshot()
})
