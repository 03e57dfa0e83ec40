import { join } from 'node:path'
import { asRoot } from '../process/as-root.ts'

export interface BootstrapOptions {
  /** Folder of repositories in the mirror's tree: `tree/deb` or `tree/tools/deb`. */
  tree: string
  /** Names of the repositories there. */
  repositories: readonly string[]
  /** `extract` unpacks and sets nothing up; `essential` is a working minimum. */
  variant: 'extract' | 'essential' | 'apt'
  packages: readonly string[]
  /** Further arguments, e.g. hooks. */
  arguments?: readonly string[]
  /** Seconds since 1970; what the files' times are clamped to. */
  epoch?: number
  /** In a place without any network, where a proof is to be one. */
  offline?: boolean
  signal: AbortSignal
}

/** `/bin` is `/usr/bin` and so on, from the first package on: bookworm's tools expect it, trixie brings it. */
const MERGE_USR =
  'for folder in bin sbin lib lib32 lib64 libx32; do mkdir -p "$1/usr/$folder"; ln -s "usr/$folder" "$1/$folder"; done'

/**
 * A Debian root from the mirror's own packages alone, by mmdebstrap; `root` must not exist yet.
 *
 * @throws CommandFailed
 */
export async function bootstrapRoot(root: string, options: BootstrapOptions): Promise<void> {
  const key = join(options.tree, 'appliance-mirror.gpg')
  const sources = options.repositories.map(
    (name) => `deb [signed-by=${key}] copy://${join(options.tree, name)} appliance main`,
  )
  const [program, ...first] = options.offline
    ? ['unshare', '--net', '--', 'mmdebstrap']
    : (['mmdebstrap'] as const)
  await asRoot(
    program!,
    [
      ...first,
      '--quiet',
      '--mode=root',
      `--variant=${options.variant}`,
      `--include=${options.packages.join(',')}`,
      `--setup-hook=${MERGE_USR}`,
      '--dpkgopt=force-unsafe-io',
      '--aptopt=APT::Install-Recommends "false"',
      ...(options.arguments ?? []),
      'appliance',
      root,
      ...sources,
    ],
    {
      signal: options.signal,
      env: { SOURCE_DATE_EPOCH: options.epoch === undefined ? undefined : String(options.epoch) },
    },
  )
}
