import type { Fault } from '../../lib/errors/fault.ts'
import { unknownWords } from '../../lib/errors/unknown-words.ts'
import type { Property } from '../../lib/ovf/properties.ts'
import { settingsOperation } from '../settings/operation.ts'
import { accounts } from './accounts.ts'
import { buildAccount } from './build-account.ts'
import { growth } from './growth.ts'
import { identity } from './identity.ts'
import { network } from './network.ts'
import { type Operation, remove } from './operation.ts'
import { type RootAccess, rootAccess } from './root-access.ts'
import { labels } from './selinux.ts'
import { traces } from './traces.ts'

export interface Generalisation {
  /** The appliance's name becomes the machine's. */
  hostname: string
  /** As guests see the mirror during a build: `http://mirror.internal`, and by address. */
  mirrorUrls: readonly string[]
  /** The account by which the base machine was installed: the definition's `ssh_user`. */
  buildUser: string | undefined
  /** How root gets in; undefined: as provisioning left it. */
  root?: RootAccess | undefined
  /** What the descriptor offers on import. */
  properties?: readonly Property[]
  /** Whether files have labels that first boot has to make; default: no. */
  selinux?: boolean
  /** Names of operations that are not wanted, and what else is to go. */
  skip?: readonly string[]
  extra?: readonly { remove: string; reason: string }[]
}

/** Everything that is done to a disk before it is shipped, in order. virt-sysprep's list was the checklist. */
export function operations(wanted: Generalisation): Operation[] {
  const {
    hostname,
    mirrorUrls,
    buildUser,
    root,
    properties = [],
    selinux = false,
    skip = [],
    extra = [],
  } = wanted
  const all = [
    // What is put there comes first: no later operation takes it away again.
    ...rootAccess(root),
    ...settingsOperation(properties),
    ...labels(selinux),
    ...growth(),
    ...identity(hostname),
    ...network(mirrorUrls),
    ...accounts(),
    ...buildAccount(buildUser),
    ...traces(),
    ...extra.map((one) => ({ name: `extra: ${one.remove}`, reason: one.reason, rules: remove(one.remove) })),
  ]
  return all.filter(({ name }) => !skip.includes(name))
}

/** What `pack.seal.skip` may leave out, in the order in which it is done. */
export function skippable(): Operation[] {
  const parts = [
    labels(true),
    growth(),
    identity('x'),
    network(['http://x']),
    accounts(),
    buildAccount('x'),
    traces(),
  ]
  return parts.flat()
}

/** Operations that another key of the spec asks for, and how they are left out. */
const ASKED_FOR: Record<string, string> = {
  root: 'is done because of pack.root: leave that out',
  'settings on import':
    'is done because of pack.settings and pack.properties: write settings: [], and no properties',
}

/** A fault for every name that no operation has. */
export function skippedFaults(names: readonly string[]): Fault[] {
  const asked = names.filter((name) => name in ASKED_FOR)
  const others = names.filter((name) => !(name in ASKED_FOR))
  const known = skippable().map(({ name }) => name)
  return [
    ...asked.map((name) => ({ message: `pack.seal.skip: ${name} ${ASKED_FOR[name]}` })),
    ...unknownWords('pack.seal.skip', others, known),
  ]
}
