import { extname } from 'node:path'
import { debianKeyring } from '../../lib/spec/mirror/words.ts'
import { filesOfAny, grubMenu } from './any-system.ts'
import type { System } from './system.ts'

/** What the base machine's own files are made of. */
export interface BaseFacts {
  system: Omit<System, 'disk' | 'packages' | 'family' | 'rpmRepositories'>
  rootUuid: string
  /** The folder where the distribution keeps the links to the newest kernel. */
  kernel?: '/' | '/boot/'
}

/** Path in the guest → content: everything that makes packages into a machine that boots on anything. */
export function baseFiles({ system, rootUuid, kernel = '/' }: BaseFacts): Record<string, string> {
  const { locale, timezone, keymap, repositories } = system
  return {
    ...filesOfAny(system, rootUuid, 'ssh.service'),
    // Debian's own place, from 13 on a link to everybody's.
    'etc/default/locale': `LANG=${locale}\n`,
    'etc/locale.conf': `LANG=${locale}\n`,
    ...(isPlain(locale) ? {} : { 'etc/locale.gen': `${locale} UTF-8\n` }),
    ...(timezone === 'UTC' ? {} : { 'etc/timezone': `${timezone}\n` }),
    ...(keymap === undefined ? {} : { 'etc/default/keyboard': keyboard(keymap) }),
    'etc/dpkg/dpkg.cfg.d/appliance': dpkgPaths(locale)
      .map((line) => `${line}\n`)
      .join(''),
    // Links to the newest kernel: linux-base(7).
    'boot/grub/grub.cfg': grubMenu(system, rootUuid, {
      image: `${kernel}vmlinuz`,
      initrd: `${kernel}initrd.img`,
    }),
    ...Object.fromEntries(
      repositories.map((source) => [`etc/apt/sources.list.d/${source.name}.sources`, aptSource(source)]),
    ),
  }
}

/** Path in the guest → file on this computer: the keys of repositories that the system's own packages do not bring. */
export function keyrings(repositories: System['repositories']): Record<string, string> {
  const foreign = repositories.filter(({ signedBy }) => !ownKeyrings.includes(signedBy))
  return Object.fromEntries(foreign.map((source) => [keyringIn(source).slice(1), source.signedBy]))
}

/** Those of debian-archive-keyring and ubuntu-keyring, one of which is on every base machine. */
const ownKeyrings: readonly string[] = [debianKeyring, '/usr/share/keyrings/ubuntu-archive-keyring.gpg']

/** Whether a locale is a part of the C library. */
export function isPlain(locale: string): boolean {
  return /^(C|POSIX|C\.UTF-8)$/.test(locale)
}

/** @see keyboard(5) */
function keyboard(keymap: string): string {
  const [, layout, variant = ''] = /^([a-z]+)(?:\((.+)\))?$/.exec(keymap)!
  return `XKBMODEL="pc105"\nXKBLAYOUT="${layout}"\nXKBVARIANT="${variant}"\nXKBOPTIONS=""\nBACKSPACE="guess"\n`
}

/**
 * An appliance is no place to read manuals; licences stay, and the words of the language it speaks.
 *
 * @see dpkg(1) --path-exclude: the last that fits counts
 */
export function dpkgPaths(locale: string): string[] {
  const [language, both] = /^([a-z]+)_[A-Z]+/.exec(locale)
    ? [locale.split('_')[0]!, locale.split('.')[0]!]
    : []
  return [
    'path-exclude=/usr/share/doc/*',
    'path-include=/usr/share/doc/*/copyright',
    'path-exclude=/usr/share/man/*',
    'path-exclude=/usr/share/info/*',
    'path-exclude=/usr/share/locale/*',
    ...(language === undefined
      ? []
      : ['locale.alias', `${language}/*`, `${both}/*`].map(
          (path) => `path-include=/usr/share/locale/${path}`,
        )),
  ]
}

function aptSource(source: System['repositories'][number]): string {
  const { uri, suites, components, architectures } = source
  const flat = suites.every((suite) => suite.endsWith('/'))
  return `Types: deb
URIs: ${uri}
Suites: ${suites.join(' ')}
${flat ? '' : `Components: ${components.join(' ')}\n`}${architectures ? `Architectures: ${architectures.join(' ')}\n` : ''}Signed-By: ${keyringIn(source)}
`
}

/** Where a repository's keys lie in the guest; apt goes by the extension. @see sources.list(5) Signed-By */
function keyringIn({ name, signedBy }: System['repositories'][number]): string {
  if (ownKeyrings.includes(signedBy)) return signedBy
  return `/etc/apt/keyrings/${name}${extname(signedBy) === '.asc' ? '.asc' : '.gpg'}`
}
