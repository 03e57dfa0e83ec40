import { describe, expect, test } from '@jest/globals'
import { parseSets, ruleset } from '../../../actions/lib/network/nftables.ts'

/** As nft 1.0.6 prints a set with these elements. */
const printed = (name: string, ...elements: [(string | number)[], number][]) => ({
  set: {
    family: 'ip',
    name,
    table: 'appliance',
    elem: elements.map(([concat, packets]) => ({
      elem: { val: { concat }, counter: { packets, bytes: 1 } },
    })),
  },
})
const output = (...sets: object[]) =>
  JSON.stringify({ nftables: [{ metainfo: { version: '1.0.6', json_schema_version: 1 } }, ...sets] })

describe('the escape report from the packet filter', () => {
  test('gives who, address, protocol, port and how often', () => {
    const sets = output(
      printed(
        'machines_ports',
        [['10.77.0.11', '192.0.2.7', 'tcp', 443], 3],
        [['10.77.0.12', '192.0.2.7', 'udp', 53], 8],
      ),
      printed('machines_protocols', [['10.77.0.11', '192.0.2.7', 'icmp'], 2]),
      printed('programs_ports', [['192.0.2.9', 'tcp', 80], 1]),
      printed('programs_protocols', [['192.0.2.9', 'icmp'], 1]),
      printed('machines_ports', [['fe80::1', '2001:db8::7', 'tcp', 443], 1]),
    )
    expect(parseSets(sets)).toEqual([
      { from: '10.77.0.11', to: '192.0.2.7', how: 'tcp/443', times: 3 },
      { from: '10.77.0.12', to: '192.0.2.7', how: 'udp/53', times: 8 },
      { from: '10.77.0.11', to: '192.0.2.7', how: 'icmp', times: 2 },
      { from: undefined, to: '192.0.2.9', how: 'tcp/80', times: 1 },
      { from: undefined, to: '192.0.2.9', how: 'icmp', times: 1 },
      { from: 'fe80::1', to: '[2001:db8::7]', how: 'tcp/443', times: 1 },
    ])
  })

  test('is empty when nobody tried', () => {
    const { set } = printed('machines_ports')
    const { elem: _, ...never } = set
    expect(parseSets(output({ set: never }))).toEqual([])
  })
})

test.each([true, false])('the rules let nothing but the mirror pass (redirect: %s)', (redirect) => {
  const rules = { device: 'appliance0', address: '10.77.0.1', network: '10.77.0.0/24', redirect }
  expect(ruleset(rules)).toMatchSnapshot()
})
