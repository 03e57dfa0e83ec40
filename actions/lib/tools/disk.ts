import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { sha256 } from '../files/digest.ts'
import { exists } from '../files/exists.ts'
import { asRoot } from '../process/as-root.ts'
import type { StageWork } from '../stage/stage.ts'
import { ABI, bootRuby, RUBY } from './boot-ruby.ts'
import { openToolsRoot } from './root.ts'

/** Where the disk is mounted in the guest. */
const TOOLS = '/tools'

/** The guest's own home of gems, in memory: what `chef_gem` installs. */
const BOOT = bootRuby(TOOLS, '/run/appliance/gems')

/** What can be started on the disk: `sh /tools/chef-solo`. */
const programs = ['chef-solo', 'chef-client']

/** What Chef needs of the root, in the guest: a loader and libraries of its own, Ruby, gems. */
const needed = [
  'usr/lib64',
  'usr/lib/ruby',
  'usr/lib/x86_64-linux-gnu/ruby',
  'usr/share/rubygems-integration',
  'usr/lib/x86_64-linux-gnu/rubygems-integration', // ruby-shadow
  'usr/local/bin',
  'var/lib/gems',
  `usr/bin/ruby${RUBY}`,
]

/**
 * The read-only disk that brings Chef into any x86-64 guest, Debian or RPM, old or new, and is unplugged afterwards
 * (DESIGN §6): made once per tools root and recipe, `build/tools/<key>/tools-<digest of the recipe>.ext4`.
 *
 * In the guest: `mount -o ro /dev/disk/by-id/virtio-tools /tools; sh /tools/chef-solo ARGUMENTS`.
 */
export async function toolsDisk(
  work: Pick<StageWork, 'project' | 'log' | 'signal' | 'timed'>,
): Promise<{ path: string; serial: string }> {
  const root = await openToolsRoot(work)
  const path = join(dirname(root.directory), `tools-${recipe().slice(0, 8)}.ext4`)
  const there = await exists(path)
  if (!there) {
    const staging = join(dirname(root.directory), 'tools.partial')
    const partial = `${path}.partial`
    await asRoot('rm', ['-rf', staging], {})
    await rm(partial, { force: true })
    await stage(root.directory, staging)
    const uuid = '7001d15c-0000-4000-8000-000000000001'
    await root.run(
      'mke2fs',
      [
        '-q',
        '-t',
        'ext4',
        '-d',
        staging,
        '-U',
        uuid,
        '-L',
        'tools',
        '-m',
        '0',
        '-O',
        '^has_journal',
        '-E',
        `hash_seed=${uuid},root_owner=0:0`,
        partial,
        '1G',
      ],
      {
        env: { SOURCE_DATE_EPOCH: '1' },
        signal: work.signal,
      },
    )
    await rename(partial, path)
    await asRoot('rm', ['-rf', staging], {})
  }
  return { path, serial: 'tools' }
}

/** What this file adds to the root: a disk that an older version of ours has made is not taken for one of today's. */
function recipe(): string {
  return sha256(JSON.stringify([needed, BOOT, programs.map(launcher)]))
}

async function stage(root: string, staging: string): Promise<void> {
  await mkdir(staging, { recursive: true })
  for (const path of needed) {
    await mkdir(dirname(join(staging, path)), { recursive: true })
    await asRoot('cp', ['-al', join(root, path), join(staging, path)], {})
  }
  const libraries = 'usr/lib/x86_64-linux-gnu'
  await asRoot(
    'find',
    [
      join(root, libraries),
      '-maxdepth',
      '1',
      '-name',
      '*.so*',
      '-exec',
      'cp',
      '-al',
      '-t',
      join(staging, libraries),
      '{}',
      '+',
    ],
    {},
  )
  // What building the gems left behind.
  const gems = join(staging, 'var/lib/gems', ABI)
  await asRoot('rm', ['-rf', join(gems, 'cache'), join(gems, 'build_info'), join(gems, 'doc')], {})
  await asRoot(
    'find',
    [
      gems,
      '(',
      '-name',
      '*.o',
      '-o',
      '-name',
      '*.a',
      '-o',
      '-name',
      'mkmf.log',
      '-o',
      '-name',
      'gem_make.out',
      ')',
      '-delete',
    ],
    {},
  )
  await writeFile(join(staging, 'boot.rb'), BOOT)
  for (const program of programs) await writeFile(join(staging, program), launcher(program))
}

/** Starts the tools' Ruby through the tools' loader; what Chef starts are the guest's own programs. */
const launcher = (program: string) => `#!/bin/sh
# RUBYLIB is for Ruby's own start only; boot.rb takes it away again.
libraries=${TOOLS}/usr/lib/x86_64-linux-gnu
RUBYLIB=${TOOLS}/usr/lib/ruby/vendor_ruby:${TOOLS}/usr/lib/ruby/${ABI}:$libraries/ruby/${ABI}
export RUBYLIB
exec ${TOOLS}/usr/lib64/ld-linux-x86-64.so.2 --library-path "$libraries" ${TOOLS}/usr/bin/ruby${RUBY} \\
  --disable-gems ${TOOLS}/boot.rb ${TOOLS}/usr/local/bin/${program} "$@"
`
