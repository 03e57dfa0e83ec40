import type { Spec } from './spec.ts'

/** What the packages of a machine made from the mirror are. */
export type Family = 'deb' | 'rpm'

/** Where both kinds are mirrored, the system is a Debian's, and the RPMs are something else of the appliance's. */
export function familyOf({ mirror }: { mirror: Pick<Spec['mirror'], 'deb' | 'rpm'> }): Family {
  return mirror.deb.length === 0 && mirror.rpm.length > 0 ? 'rpm' : 'deb'
}
