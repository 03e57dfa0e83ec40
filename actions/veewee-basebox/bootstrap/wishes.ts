import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Fault } from '../../lib/errors/fault.ts'
import { nearest } from '../../lib/errors/nearest.ts'
import { exists } from '../../lib/files/exists.ts'
import { isPlain } from './files.ts'
import type { System } from './system.ts'

/** Wishes that the packages, now that they are unpacked, turn out not to know. */
export async function faultsOfWishes(system: System, root: string): Promise<Fault[]> {
  const { locale, keymap } = system
  const faults: Fault[] = []
  const fault = addTo(faults)

  if (!isPlain(locale)) {
    const listed = await readFile(join(root, 'usr/share/i18n/SUPPORTED'), 'utf8').catch(() => '')
    const known = listed
      .split('\n')
      .flatMap((line) => line.replace(/ UTF-8$/, '').match(/^\S+\.UTF-8\S*$/) ?? [])
    if (!known.includes(locale.replace(/@.*/, '')))
      fault('locale', `the package locales knows no ${locale}${meant(nearest(locale, known))}`)
  }
  if (keymap !== undefined) {
    const layouts = await namesIn(join(root, 'usr/share/X11/xkb/symbols'))
    const layout = keymap.replace(/\(.*/, '')
    if (!layouts.includes(layout))
      fault('keymap', `XKB has no layout ${layout}${meant(nearest(layout, layouts))}`)
  }
  return [...faults, ...(await faultsOfAny(system, root))]
}

/** Those that are the same for every distribution. */
export async function faultsOfAny({ timezone, users }: System, root: string): Promise<Fault[]> {
  const faults: Fault[] = []
  const fault = addTo(faults)
  const zone = await exists(join(root, 'usr/share/zoneinfo', timezone))
  if (timezone !== 'UTC' && !zone)
    fault('timezone', `the package tzdata has no ${timezone} (older names are in tzdata-legacy)`)
  const accounts = await readFile(join(root, 'etc/passwd'), 'utf8')
  for (const { name, shell } of users) {
    if (new RegExp(`^${name}:`, 'm').test(accounts))
      fault('users', `${name} is an account of the system’s own`)
    // A link may lead to a path of the root's, not of ours.
    const folder = await namesIn(join(root, shell, '..'))
    if (!folder.includes(shell.split('/').at(-1)!))
      fault('users', `${name}’s shell ${shell} is not there: name its package under packages`)
  }
  return faults
}

function addTo(faults: Fault[]) {
  return (key: string, message: string) => faults.push({ message: `basebox.bootstrap.${key}: ${message}` })
}

function meant(near: string | undefined): string {
  return near === undefined ? '' : `; did you mean ${near}?`
}

async function namesIn(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => [] as string[])
}
