import { describe, expect, test } from '@jest/globals'
import { isOutside, offered, parseListeners, portDifferences } from '../../../actions/vm-validate/listens.ts'

// Taken from Debian 12 (iproute2 6.1).
const both = `udp   UNCONN 0      0      10.77.0.10%ens4:68        0.0.0.0:*
udp   UNCONN 0      0            127.0.0.54:53        0.0.0.0:*
udp   UNCONN 0      0         127.0.0.53%lo:53        0.0.0.0:*
udp   UNCONN 0      0      [fe80::1]%ens4:546          [::]:*
tcp   LISTEN 0      128          0.0.0.0:22         0.0.0.0:*
tcp   LISTEN 0      244        127.0.0.1:5432       0.0.0.0:*
tcp   LISTEN 0      511                *:80               *:*
tcp   LISTEN 0      128             [::]:22            [::]:*
tcp   LISTEN 0      244            [::1]:5432          [::]:*
tcp   LISTEN 0      4096 [::ffff:127.0.0.1]:9000          *:*
`

describe('what a guest listens on', () => {
  test('addresses, ports and protocols are read from ss', () => {
    expect(parseListeners(both)).toEqual([
      { address: '10.77.0.10', port: 68, protocol: 'udp' },
      { address: '127.0.0.54', port: 53, protocol: 'udp' },
      { address: '127.0.0.53', port: 53, protocol: 'udp' },
      { address: 'fe80::1', port: 546, protocol: 'udp' },
      { address: '0.0.0.0', port: 22, protocol: 'tcp' },
      { address: '127.0.0.1', port: 5432, protocol: 'tcp' },
      { address: '*', port: 80, protocol: 'tcp' },
      { address: '::', port: 22, protocol: 'tcp' },
      { address: '::1', port: 5432, protocol: 'tcp' },
      { address: '::ffff:127.0.0.1', port: 9000, protocol: 'tcp' },
    ])
  })

  test('without the protocol column (-ltn) it is TCP', () => {
    expect(parseListeners('LISTEN 0 128 0.0.0.0:22 0.0.0.0:*\n')).toEqual([
      { address: '0.0.0.0', port: 22, protocol: 'tcp' },
    ])
  })

  test('only what others can reach counts, and no DHCP client', () => {
    expect(parseListeners(both).filter(isOutside)).toHaveLength(5)
    expect(offered(parseListeners(both))).toEqual(['22/tcp', '80/tcp'])
  })

  test('a resolver open to the outside is not taken for a client', () => {
    expect(offered(parseListeners('udp UNCONN 0 0 0.0.0.0:53 0.0.0.0:*\n'))).toEqual(['53/udp'])
  })

  test('missing and extra ports are told apart', () => {
    expect(portDifferences(['22/tcp', '443/tcp'], ['22/tcp', '80/tcp'])).toEqual({
      missing: ['443/tcp'],
      extra: ['80/tcp'],
    })
  })
})
