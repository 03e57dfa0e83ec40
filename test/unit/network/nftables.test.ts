import { describe, expect, test } from '@jest/globals'
import { parseSet, ruleset } from '../../../actions/lib/network/nftables.ts'

/** As nft 1.0.6 prints a set. */
const printed = (elements: string) =>
  `{"nftables": [{"metainfo": {"version": "1.0.6", "release_name": "Lester Gooch #5", "json_schema_version": 1}}, {"set": {"family": "ip", "name": "tried", "table": "appliance", "type": ["ipv4_addr", "inet_proto", "inet_service"], "handle": 2, "size": 65535${elements}, "stmt": [{"counter": null}]}}]}`

describe('the escape report from the packet filter', () => {
  test('gives address, protocol, port and how often', () => {
    const elements = `, "elem": [{"elem": {"val": {"concat": ["192.0.2.7", "tcp", 443]}, "counter": {"packets": 3, "bytes": 180}}}, {"elem": {"val": {"concat": ["10.255.255.53", "udp", 53]}, "counter": {"packets": 8, "bytes": 500}}}]`
    expect(parseSet(printed(elements))).toEqual([
      { to: '192.0.2.7', how: 'tcp/443', times: 3 },
      { to: '10.255.255.53', how: 'udp/53', times: 8 },
    ])
  })

  test('knows protocols without ports', () => {
    const elements = `, "elem": [{"elem": {"val": {"concat": ["192.0.2.7", "icmp"]}, "counter": {"packets": 2, "bytes": 168}}}]`
    expect(parseSet(printed(elements))).toEqual([{ to: '192.0.2.7', how: 'icmp', times: 2 }])
  })

  test('is empty when nobody tried', () => {
    expect(parseSet(printed(''))).toEqual([])
  })
})

test('the rules let nothing but the mirror pass', () => {
  expect(ruleset({ device: 'appliance0', address: '10.77.0.1', network: '10.77.0.0/24' })).toMatchSnapshot()
})
