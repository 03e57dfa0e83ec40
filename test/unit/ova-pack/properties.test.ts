import { expect, test } from '@jest/globals'
import { propertyFaults } from '../../../actions/ova-pack/settings/properties.ts'

const faults = (settings: Parameters<typeof propertyFaults>[0]['settings'], ...keys: string[]) =>
  propertyFaults({ settings, properties: keys.map((key) => ({ key })) }).map(({ message }) => message)

test('a key that a built-in setting has, or that is there twice, is a fault', () => {
  expect(faults(['network', 'dns'], 'gateway', 'mail', 'edition', 'mail')).toEqual([
    'pack.properties: gateway is one of pack.settings; give yours another key',
    'pack.properties: mail is there 2 times',
  ])
})

test('a setting that is left out leaves its keys to the user', () => {
  expect(faults(['dns'], 'gateway', 'hostname', 'edition')).toEqual([])
})
