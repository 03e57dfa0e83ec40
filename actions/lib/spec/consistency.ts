import type { Fault } from '../errors/fault.ts'
import { type Controller, controllers, MOST_CARDS } from '../ovf/hardware.ts'
import { parseSize } from '../units/size.ts'
import type { Machine } from './machine.ts'
import { namedSources, sourceName } from './mirror/mirror.ts'
import { variablesIn } from './mirror/rpm.ts'
import type { Positioned } from './positions.ts'
import { keysAt, listAt, textAt, valueAt } from './raw.ts'

/**
 * What no single key of the spec can know: names that are there twice, and keys that need or forbid one another.
 * Works on the spec as it is written, so that other faults hide none of these.
 *
 * @param usual the base machine where the spec says nothing
 */
export function consistencyFaults(yaml: Positioned, usual: Machine): Fault[] {
  return [
    ...sameNames(yaml),
    ...gemsOrGemfile(yaml),
    ...rpmAddresses(yaml),
    ...shrunkHardware(yaml, usual),
    ...waysToABase(yaml),
    ...unmetNeeds(yaml),
    ...matrixWithoutHardware(yaml),
    ...boxOfSeveralDisks(yaml),
    ...moreThanFits(yaml),
  ]
}

/** Vagrant's boxes hold one disk. */
function boxOfSeveralDisks(yaml: Positioned): Fault[] {
  const formats = listAt(yaml.value, 'pack', 'formats')
  const further = listAt(yaml.value, 'pack', 'hardware', 'data_disks')
  return formats.includes('box') && further.length > 0
    ? [
        yaml.fault(
          ['pack', 'formats', formats.indexOf('box')],
          'a box holds one disk, and data_disks names more',
        ),
      ]
    : []
}

/** There is one disk controller, which the first disk is plugged into, too. */
function moreThanFits(yaml: Positioned): Fault[] {
  const at = ['pack', 'hardware']
  const controller = textAt(yaml.value, ...at, 'controller') ?? 'lsilogic'
  const most = controllers[controller as Controller]?.most
  const cards = listAt(yaml.value, ...at, 'networks')
  return [
    ...(most !== undefined && listAt(yaml.value, ...at, 'data_disks').length >= most
      ? [
          yaml.fault(
            [...at, 'data_disks', most - 1],
            `${controller} has room for ${most} disks, the appliance's own among them`,
          ),
        ]
      : []),
    ...(cards.length > MOST_CARDS
      ? [yaml.fault([...at, 'networks', MOST_CARDS], `VMware has room for ${MOST_CARDS} cards in a machine`)]
      : []),
  ]
}

/** Only QEMU has all the hardware that customers have. */
function matrixWithoutHardware(yaml: Positioned): Fault[] {
  const driver = valueAt(yaml.value, 'validate', 'hypervisor')
  const there = valueAt(yaml.value, 'validate', 'matrix') !== undefined
  return there && driver !== undefined && driver !== 'qemu'
    ? [yaml.fault(['validate', 'matrix'], `needs hypervisor: qemu, which has all this hardware`)]
    : []
}

function sameNames(yaml: Positioned): Fault[] {
  return namedSources.flatMap((kind) => {
    const lines = new Map<string, number>()
    return listAt(yaml.value, 'mirror', kind).flatMap((entry, index) => {
      const name = sourceName(kind, textAt(entry, 'name'), textAt(entry, 'url'))
      if (!name) return []
      const path = ['mirror', kind, index]
      const before = lines.get(name)
      lines.set(name, before ?? yaml.place(path).line)
      return before === undefined
        ? []
        : [yaml.fault(path, `the ${kind} source on line ${before} is named ${name}, too`)]
    })
  })
}

function gemsOrGemfile(yaml: Positioned): Fault[] {
  return listAt(yaml.value, 'mirror', 'gem').flatMap((entry, index) => {
    const given = ['gemfile', 'gems'].filter((key) => keysAt(entry).includes(key))
    return given.length === 1 || typeof entry !== 'object'
      ? []
      : [yaml.fault(['mirror', 'gem', index], 'give either gemfile: or gems:')]
  })
}

/** One way to find each RPM repository, and one release that all are of. */
function rpmAddresses(yaml: Positioned): Fault[] {
  const entries = listAt(yaml.value, 'mirror', 'rpm')
  const first = entries.find((entry) => textAt(entry, 'releasever') !== undefined)
  const release = textAt(first, 'releasever')
  return entries.flatMap((entry, index) => {
    const at = ['mirror', 'rpm', index]
    const ways = ['baseurl', 'mirrorlist', 'metalink'].filter((key) => keysAt(entry).includes(key))
    const own = textAt(entry, 'releasever')
    const needs = [...ways, 'snapshot'].some((key) =>
      variablesIn(textAt(entry, key) ?? '').includes('releasever'),
    )
    return [
      ...(ways.length === 1 || typeof entry !== 'object'
        ? []
        : [yaml.fault(at, 'give exactly one of baseurl:, mirrorlist: and metalink:')]),
      ...(own === undefined || own === release
        ? []
        : [yaml.fault([...at, 'releasever'], `is ${own} here, and ${release} for ${textAt(first, 'name')}`)]),
      ...(needs && release === undefined
        ? [yaml.fault(at, 'its address has $releasever: write the guest’s, e.g. releasever: "9"')]
        : []),
    ]
  })
}

/** The disk that was validated can grow for the customer; shrunk it would be another one. */
function shrunkHardware(yaml: Positioned, usual: Machine): Fault[] {
  return (['cpus', 'memory', 'disk'] as const).flatMap((key) => {
    const packed = amount(key, valueAt(yaml.value, 'pack', 'hardware', key))
    const said = valueAt(yaml.value, 'basebox', key)
    const built = said === undefined ? usual[key] : amount(key, said)
    const shown = said ?? (key === 'cpus' ? built : binarySize(built ?? 0))
    return packed === undefined || built === undefined || packed >= built
      ? []
      : [yaml.fault(['pack', 'hardware', key], `may be larger than basebox.${key}, ${shown}, never smaller`)]
  })
}

/** As a spec would say it. */
function binarySize(bytes: number): string {
  return bytes % 2 ** 30 === 0 ? `${bytes / 2 ** 30} GiB` : `${Math.ceil(bytes / 2 ** 20)} MiB`
}

/** An installer or the mirror: not both, and words on a definition only where there is one. */
function waysToABase(yaml: Positioned): Fault[] {
  const given = keysAt(yaml.value, 'basebox')
  const strategy = textAt(yaml.value, 'basebox', 'strategy')
  if (given.includes('strategy') && !given.includes('definition'))
    return [yaml.fault(['basebox', 'strategy'], 'is for a definition; without one, bootstrap: is enough')]
  if (given.includes('definition') && given.includes('bootstrap') && strategy !== 'bootstrap')
    return [
      yaml.fault(
        ['basebox', 'bootstrap'],
        'either the definition’s installer makes the machine, or the mirror does: leave bootstrap: out, or write strategy: bootstrap',
      ),
    ]
  const bootstraps = given.includes('bootstrap') || strategy === 'bootstrap'
  const packages = (['deb', 'rpm'] as const).some((kind) => listAt(yaml.value, 'mirror', kind).length > 0)
  if (bootstraps && !packages)
    return [
      yaml.fault(
        ['basebox', given.includes('bootstrap') ? 'bootstrap' : 'strategy'],
        'has nothing to make the machine of: name the distribution’s repository under mirror.deb or mirror.rpm',
      ),
    ]
  return []
}

/** A number of processors, or bytes; undefined for what the schema refuses. */
function amount(key: string, value: unknown): number | undefined {
  if (key === 'cpus') return typeof value === 'number' ? value : undefined
  return typeof value === 'string' ? parseSize(value) : undefined
}

function unmetNeeds(yaml: Positioned): Fault[] {
  const steps = listAt(yaml.value, 'provision')
  const faults: Fault[] = []
  const base = keysAt(yaml.value, 'basebox')
  if (steps.length > 0 && !base.includes('bootstrap') && !base.includes('definition'))
    faults.push(
      yaml.fault(
        ['basebox', 'bootstrap'],
        'is missing: the steps of provision need a machine, e.g. { suite: bookworm }',
      ),
    )
  for (const [index, step] of steps.entries()) {
    if (!keysAt(step).includes('capistrano')) continue
    const name = textAt(step, 'capistrano', 'gems') ?? 'capistrano'
    const sources = listAt(yaml.value, 'mirror', 'gem')
    if (sources.some((source) => textAt(source, 'name') === name && textAt(source, 'for') === 'host'))
      continue
    faults.push(
      yaml.fault(
        ['provision', index, 'capistrano'],
        `Capistrano is not in the mirror: write { name: ${name}, gems: { capistrano: "~> 3.19" }, for: host } under mirror.gem`,
      ),
    )
  }
  const chef = steps.findIndex((step) => keysAt(step).includes('chef_solo'))
  if (chef < 0) return faults
  const at = ['provision', chef, 'chef_solo']
  if (valueAt(yaml.value, 'chef', 'license') === undefined)
    faults.push(
      yaml.fault(
        at,
        'Chef’s licence is yours to accept: read https://www.chef.io/end-user-license-agreement and write chef: { license: accept }',
      ),
    )
  const brought = textAt(yaml.value, 'chef', 'from') !== 'guest'
  if (brought && !listAt(yaml.value, 'mirror', 'gem').some((entry) => valueAt(entry, 'for') === 'tools'))
    faults.push(
      yaml.fault(
        at,
        'Chef is not in the mirror: write { name: chef, gems: { chef-bin: "~> 18.4" }, for: tools } under mirror.gem',
      ),
    )
  return faults
}
