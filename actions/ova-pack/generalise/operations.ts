import { identity } from './identity.ts'
import { network } from './network.ts'
import type { Operation } from './operation.ts'
import { traces } from './traces.ts'

export interface Generalisation {
  /** The appliance's name becomes the machine's. */
  hostname: string
  /** As guests see the mirror during a build: `http://mirror.internal`, and by address. */
  mirrorUrls: readonly string[]
  /** The account of `login:` in the spec, if it was not root. */
  buildUser: string | undefined
}

/** Everything that is done to a disk before it is shipped, in order. virt-sysprep's list was the checklist. */
export function operations({ hostname, mirrorUrls, buildUser }: Generalisation): Operation[] {
  return [...identity(hostname), ...network(mirrorUrls), ...traces(buildUser)]
}
