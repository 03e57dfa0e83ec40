import { z } from 'zod'
import { expected, words } from '../section.ts'

/** Whether it is one, vm-validate says, together with what else only the engine can know (vm-validate/faults). */
export const pattern = () => words('a regular expression')

/** Text that may be empty. */
export const anyText = (what = 'text') => z.string({ error: expected(what) })

/** The name of a snapshot; QEMU, Vagrant and virsh all take these. */
export const snapshotName = () =>
  z
    .string({ error: expected('a name') })
    .regex(/^[A-Za-z][\w-]{0,40}$/, { error: expected('a name of letters, digits, dash and underscore') })
    .refine((name) => name !== 'pristine', {
      error: 'pristine is the name of the beginning: rollback alone goes there',
    })
