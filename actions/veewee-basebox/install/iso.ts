import { join } from 'node:path'
import { isoSourceOf, isoWanted } from '../../lib/definition/iso-source.ts'
import type { IsoImage } from '../../lib/definition/recipe-types.ts'
import { ApplianceError } from '../../lib/errors/error.ts'
import { digestFile } from '../../lib/files/digest.ts'
import type { Lock } from '../../lib/lock/lock.ts'
import { fileInTree } from '../../lib/mirror/file-in-tree.ts'

/**
 * The ISO image in the mirror, every digest that the definition declares proved.
 *
 * @param tree the mirror's
 * @throws ApplianceError `stale` where the mirror has none, `digest-mismatch`
 */
export async function isoInMirror(
  iso: IsoImage,
  lock: Pick<Lock, 'iso'>,
  tree: string,
  signal: AbortSignal,
): Promise<string> {
  const locked = isoSourceOf(iso, lock.iso)
  if (!locked) throw new ApplianceError('stale', `basebox.definition: ${isoWanted(iso)}`)
  const path = join(tree, fileInTree('iso', locked))
  for (const { algorithm, hex } of iso.digests) {
    const found = algorithm === 'sha256' ? locked.sha256 : await digestFile(algorithm, path, signal)
    if (found !== hex)
      throw new ApplianceError(
        'digest-mismatch',
        `${locked.name}: the definition declares iso_${algorithm} ${hex}, and the mirror's image has ${found}`,
        { hint: 'Either the definition is of another image, or mirror.iso names the wrong one.' },
      )
  }
  return path
}
