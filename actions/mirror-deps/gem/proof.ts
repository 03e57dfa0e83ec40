import { copyFile, mkdir, open, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CommandFailed } from '../../lib/errors/error.ts'
import type { Lock, LockedGemSource } from '../../lib/lock/lock.ts'
import { bundleConfig, gitConfig } from '../../lib/mirror/guest-access.ts'
import { type MirrorServer, serveTree } from '../../lib/mirror/serve.ts'
import { asRoot } from '../../lib/process/as-root.ts'
import { EXTENSIONS, PROGRAM } from './proof-program.ts'
import type { RubyRoot } from './ruby-root.ts'
import { reasonIn } from './solve.ts'
import type { GemEntry } from './source.ts'

/** The mirror, as the root sees it. */
const MIRROR = 'http://127.0.0.1'

export interface GemProof {
  /** Of the whole mirror. */
  lock: Lock
  /** The mirror's tree. */
  tree: string
  /** Of the source in the tree, e.g. `gem/app`. */
  folder: string
  /** What the spec says of the source. */
  entry: Pick<GemEntry, 'gemfile' | 'platforms'>
  signal: AbortSignal
  /** Told what was not compiled. */
  note(line: string): void
}

interface Answer {
  done: boolean
  said: string
  uncompiled: { gem: string; why: string | null }[]
}

/**
 * Proves a gem source: in the root, which has no network but the mirror, the ordinary `bundle install` installs the
 * Gemfile (`gem install` the list), none of it there before but what the root's own packages bring. Returns what is
 * wrong, a line each.
 */
export async function proveGems(
  source: LockedGemSource,
  root: RubyRoot,
  { lock, tree, folder, entry, signal, note }: GemProof,
): Promise<string[]> {
  const work = join(root.directory, 'work')
  await asRoot('rm', ['-rf', work], {})
  await mkdir(join(work, 'home'), { recursive: true })
  try {
    await writeFile(join(work, 'prove.rb'), PROGRAM)
    await writeFile(join(work, 'extensions.rb'), EXTENSIONS)
    await writeFile(
      join(work, 'bundle-config'),
      bundleConfig([source], MIRROR, () => folder),
    )
    await writeFile(join(work, 'gitconfig'), gitConfig(lock, MIRROR))
    if (entry.gemfile) {
      await copyFile(entry.gemfile, join(work, 'Gemfile'))
      await copyFile(join(dirname(entry.gemfile), 'Gemfile.lock'), join(work, 'Gemfile.lock')).catch(() => {})
    }
    const list = source.gems.map(({ name, version }) => `${name}:${version}`)
    const plain = ['--no-document', '--clear-sources', '--source', `${MIRROR}/${folder}/`]
    const options = {
      command: entry.gemfile
        ? ['bundle', 'install', '--jobs', '2', '--retry', '0']
        : ['gem', 'install', ...plain, ...new Set(list)],
      'from source': (entry.platforms ?? (source.for === 'tools' ? ['ruby'] : [])).join() === 'ruby',
    }
    await writeFile(join(work, 'options.json'), JSON.stringify(options))
    await using _ = await serveIn(work, tree)
    const printed = await root.ruby(['prove.rb'], { signal, offline: true })
    const { done, said, uncompiled } = JSON.parse(printed.trim().split('\n').at(-1)!) as Answer
    for (const line of describe(uncompiled)) note(`gem ${source.name}: ${line}`)
    if (done) return []
    const program = options.command.slice(0, 2).join(' ')
    return [`gem ${source.name}: ${program} fails in an empty root: ${reasonIn(said)}`]
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    return [`gem ${source.name}: ${error.stderrTail.trim().split('\n').at(-1)}`]
  } finally {
    await asRoot('rm', ['-rf', work], {})
  }
}

/** Serves the tree at `mirror.sock` in a folder, however long the folder's path: a socket's may have 107 bytes. */
async function serveIn(folder: string, tree: string): Promise<AsyncDisposable> {
  const handle = await open(folder)
  let server: MirrorServer
  try {
    server = await serveTree(tree, `/proc/self/fd/${handle.fd}/mirror.sock`, 0)
  } catch (error) {
    await handle.close()
    throw error
  }
  return {
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await handle.close()
    },
  }
}

function describe(uncompiled: Answer['uncompiled']): string[] {
  const unable = uncompiled.filter(({ why }) => why === null).map(({ gem }) => gem)
  return [
    ...(unable.length > 0
      ? [`not compiled, as the packages hold no compiler and Ruby's headers: ${unable.sort().join(', ')}`]
      : []),
    ...uncompiled.flatMap(({ gem, why }) => (why === null ? [] : [`${gem} was not compiled: ${why}`])),
  ]
}
