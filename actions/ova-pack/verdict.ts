import { ApplianceError } from '../lib/errors/error.ts'
import type { EarlierStage } from '../lib/stage/stage.ts'

/** Whether a disk may be packed, and what the report says about it. */
export type Permission = 'validated' | 'unvalidated'

/**
 * Only a disk with a passing verdict of its own is packed, unless the user insists.
 *
 * @param validation the record of vm-validate; undefined when it has not been run
 * @param diskSha256 of the disk that is to be packed
 */
export function permission(
  validation: Pick<EarlierStage, 'value'> | undefined,
  diskSha256: string,
  insisting: boolean,
): Permission {
  const why = reasonAgainst(validation, diskSha256)
  if (why === undefined) return 'validated'
  if (insisting) return 'unvalidated'
  throw new ApplianceError('unvalidated', `the disk is not packed: ${why}`, {
    hint: 'Run `appliance vm-validate`; to pack it nevertheless: --unvalidated, which the report will say.',
  })
}

function reasonAgainst(
  validation: Pick<EarlierStage, 'value'> | undefined,
  diskSha256: string,
): string | undefined {
  if (!validation) return 'vm-validate has not been run'
  if (validation.value('disk-sha256') !== diskSha256) return 'vm-validate judged another disk'
  const verdict = validation.value('verdict')
  return verdict === 'passed' ? undefined : `its verdict is: ${verdict}`
}
