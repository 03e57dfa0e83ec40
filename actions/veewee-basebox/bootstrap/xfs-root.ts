import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { folderSource } from '../../lib/disk/xfs/folder.ts'
import { makeXfs } from '../../lib/disk/xfs/make.ts'
import { xfsPrograms } from '../../lib/disk/xfs/xfs.ts'
import { asRoot } from '../../lib/process/as-root.ts'
import type { ToolsRoot } from '../../lib/tools/tools.ts'

export interface XfsRoot {
  /** The folder it is made from. */
  root: string
  rootUuid: string
  /** No file is younger. Seconds. */
  epoch: number
  work: string
  signal: AbortSignal
}

/** The root as XFS, which mkfs.xfs cannot fill with attributes and hard links: the system's own kernel does. */
export async function makeXfsRoot(
  disk: string,
  partition: number,
  { root, rootUuid, epoch, work, signal }: XfsRoot,
  tools: ToolsRoot,
): Promise<void> {
  const archive = join(work, 'root.tar')
  const what = ['-C', root, '--xattrs', '--xattrs-include=*', '--numeric-owner', '--one-file-system']
  const times = ['--sort=name', `--mtime=@${epoch}`, '--clamp-mtime']
  await asRoot('tar', [...what, ...times, '-cf', archive, '.'], { signal })
  await makeXfs({
    disk,
    partition,
    uuid: rootUuid,
    archive,
    source: folderSource(root, work),
    programs: await xfsPrograms(tools),
    scratch: work,
    signal,
  })
  await rm(archive)
}
