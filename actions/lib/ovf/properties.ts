import { type Element, element } from './xml.ts'

/** A setting that the customer may give on import. */
export interface Property {
  key: string
  type: 'string' | 'boolean' | 'uint16' | 'uint32' | 'ip' | 'password' | 'choice'
  label: string
  description: string
  /** Has to work, since most importers show no properties at all. Passwords have none. */
  default: string
  /** Headline under which vSphere shows it and those that follow. */
  category?: string
  /** What a choice is among. */
  choices?: readonly string[]
  /** Longest and shortest text. */
  least?: number
  most?: number
}

/** The properties in their order, each category before its own (DSP0243 1.1.0, 9.5.1). */
export function propertyElements(properties: readonly Property[]): Element[] {
  return properties.flatMap((property) => [
    ...(property.category ? [element('Category', property.category)] : []),
    propertyElement(property),
  ])
}

function propertyElement(property: Property): Element {
  const { key, type, label, description } = property
  const qualifiers = qualifiersOf(property)
  return element(
    'Property',
    {
      'ovf:key': key,
      ...(type === 'password' && { 'ovf:password': 'true' }),
      ...(qualifiers && { 'ovf:qualifiers': qualifiers }),
      'ovf:type': ['ip', 'password', 'choice'].includes(type) ? 'string' : type,
      'ovf:userConfigurable': 'true',
      'ovf:value': type === 'password' ? '' : property.default,
    },
    element('Label', label),
    element('Description', description),
  )
}

/** @see DSP0243 1.1.0, table 7, and DSP0004 on ValueMap */
function qualifiersOf({ choices, least, most }: Property): string {
  return [
    ...(least === undefined ? [] : [`MinLen(${least})`]),
    ...(most === undefined ? [] : [`MaxLen(${most})`]),
    ...(choices === undefined ? [] : [`ValueMap{${choices.map((choice) => `"${choice}"`).join(', ')}}`]),
  ].join(' ')
}
