import { access, copyFile, mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256 } from '../../lib/files/digest.ts'
import type { LockedDebRepository } from '../../lib/lock/lock.ts'
import { bootstrapRoot } from '../../lib/mirror/bootstrap.ts'
import { asRoot } from '../../lib/process/as-root.ts'
import type { CommandOptions } from '../../lib/process/command.ts'

/**
 * A root with the Ruby of a distribution and nothing set up: unpacked from the mirror's own packages. Bundler and
 * RubyGems run in it, so that gems are resolved for the Ruby that will use them, not for the host's (if it has one).
 */
export interface RubyRoot {
  readonly directory: string
  /** Runs a Ruby program in the root; `/work` there is `directory/work`. The network is the host's. */
  ruby(args: readonly string[], options: CommandOptions): Promise<string>
}

/** Makes the root once per set of packages. `tree`: the folder of the repositories. */
export async function rubyRoot(
  repositories: readonly LockedDebRepository[],
  tree: string,
  options: { directory: string; signal: AbortSignal },
): Promise<RubyRoot> {
  const key = sha256(
    JSON.stringify(repositories.map(({ packages }) => packages.map(({ sha256: digest }) => digest))),
  )
  const directory = join(options.directory, key.slice(0, 16))
  const there = await access(directory).then(
    () => true,
    () => false,
  )
  if (!there) {
    const partial = `${directory}.partial`
    await remove(partial)
    await mkdir(options.directory, { recursive: true })
    await bootstrapRoot(partial, {
      tree,
      repositories: repositories.map(({ name }) => name),
      variant: 'extract',
      packages: ['ruby', 'ruby-bundler'],
      signal: options.signal,
    })
    await mkdir(join(partial, 'work'), { recursive: true })
    await rename(partial, directory)
  }
  return { directory, ruby: (args, given) => rubyIn(directory, args, given) }
}

async function rubyIn(directory: string, args: readonly string[], options: CommandOptions): Promise<string> {
  // Name resolution and trust are the host's own.
  await mkdir(join(directory, 'etc'), { recursive: true })
  for (const file of ['/etc/resolv.conf', '/etc/hosts'])
    await copyFile(file, join(directory, file)).catch(() => {})
  const bundle =
    process.env.SSL_CERT_FILE ?? process.env.CURL_CA_BUNDLE ?? '/etc/ssl/certs/ca-certificates.crt'
  await copyFile(bundle, join(directory, 'ca.crt')).catch(() => writeFile(join(directory, 'ca.crt'), ''))
  const environment = [
    'HOME=/work',
    'LANG=C.UTF-8',
    'SSL_CERT_FILE=/ca.crt',
    'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
    'BUNDLE_SILENCE_ROOT_WARNING=1',
    'BUNDLE_FORCE_RUBY_PLATFORM=true',
  ]
  const ruby = ['chroot', directory, '/usr/bin/ruby', '-C', '/work', ...args]
  const { stdout } = await asRoot('env', ['-i', ...environment, ...ruby], options)
  return stdout
}

async function remove(directory: string): Promise<void> {
  await asRoot('rm', ['-rf', directory], {})
}
