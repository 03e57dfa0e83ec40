import { describeFurther, furtherPartitions, ONE_PARTITION } from '../../lib/disk/further.ts'
import { openRoot } from '../../lib/disk/open-root.ts'
import { ApplianceError } from '../../lib/errors/error.ts'
import type { ToolsRoot } from '../../lib/tools/tools.ts'
import { packageDatabase } from './database.ts'
import { describeExtension, extensionsOn } from './extensions.ts'
import { footprint } from './footprint.ts'

export interface LookOrder {
  /** Raw disk. */
  disk: string
  /** Packages of hypervisors' extensions that may stay. */
  allowed: readonly string[]
  tools: ToolsRoot
  /** A folder for temporary files. */
  scratch: string
  signal: AbortSignal
}

/**
 * Looks at the finished disk itself, not at what was meant to be on it: no hypervisor's extension may be there.
 * Returns the table of what is (Markdown), and what packing would refuse.
 *
 * @throws ApplianceError `check-failed`, naming every extension with its path and the package that owns it
 */
export async function lookAtDisk({ disk, allowed, tools, scratch, signal }: LookOrder): Promise<string> {
  const { partition, root } = await openRoot(disk, tools, scratch, signal)
  const packages = await packageDatabase(root, { tools, scratch, signal })
  const extensions = await extensionsOn(root, packages, allowed)
  if (extensions.length > 0)
    throw new ApplianceError(
      'check-failed',
      `the base machine holds extensions of hypervisors: ${extensions.map(describeExtension).join('; ')}`,
      { hint: 'Leave them out, or name the packages that are meant to stay under basebox.allow.' },
    )
  const { others } = await furtherPartitions(disk, root, partition)
  const unsealed =
    others.length > 0 ? `\n**ova-pack will refuse it: ${describeFurther(others)}.** ${ONE_PARTITION}\n` : ''
  return `${footprint(packages.installed, await root.used())}${unsealed}`
}
