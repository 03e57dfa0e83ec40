import { type Asked, shown } from './asked.ts'
import { decode } from './files.ts'
import type { Kickstart, Postinstall, RecipeFile } from './recipe-types.ts'
import { SourceText } from './source.ts'
import { renderTemplate } from './template.ts'
import { RubyHash, toText } from './value.ts'

/** How long VeeWee waited for a kickstart file to be fetched when nothing else was said, in seconds. */
const KICKSTART_TIMEOUT = 60
/** VeeWee looked for a free port from `kickstart_port` to 7199. */
const KICKSTART_PORT = 7122
const WEEK = 604_800

/** Answer files: a string of names, or an array of them; the same one twice where an installer fetches it twice. */
export function readKickstart(asked: Asked): Kickstart | undefined {
  const port = asked.number('kickstart_port', KICKSTART_PORT, 1, 65_535, '')
  const timeouts = readTimeouts(asked)
  const names = asked.texts('kickstart_file', /\s+/)?.filter((name) => name.trim()) ?? []
  const files = new Map<string, RecipeFile>()
  const expected: { name: string; timeout: number }[] = []
  for (const [index, written] of names.entries()) {
    const file = recipeFile(asked, 'kickstart_file', written, urlPath(asked, written))
    if (!file) continue
    files.set(file.name, file)
    const timeout = timeouts[Math.min(index, timeouts.length - 1)] ?? KICKSTART_TIMEOUT
    expected.push({ name: file.name, timeout })
  }
  return files.size ? { files: [...files.values()], expected, port } : undefined
}

/** One number for all files, or one for each of which the last repeats. */
function readTimeouts(asked: Asked): number[] {
  const declared = asked.declared.get('kickstart_timeout')
  const value = asked.value('kickstart_timeout')
  if (!declared || value === undefined || value === '') return []
  return [value]
    .flat()
    .flatMap((item) => asked.whole('kickstart_timeout', item, declared, 0, WEEK, 'seconds') ?? [])
}

export function readFloppy(asked: Asked): RecipeFile[] {
  const names = asked.texts('floppy_files') ?? []
  return names.flatMap((name) => recipeFile(asked, 'floppy_files', name, lastPart(name)) ?? [])
}

export function readPostinstall(asked: Asked): Postinstall {
  const before = asked.text('pre_postinstall_file')
  const names = asked.texts('postinstall_files') ?? []
  const files = names.flatMap((name) => {
    const skipped = lastPart(name).startsWith('_')
    // A skipped script may be missing: nothing will ask for it.
    const file = skipped
      ? { name: lastPart(name), path: name, text: undefined }
      : recipeFile(asked, 'postinstall_files', name, lastPart(name))
    return file ? [{ ...file, skipped }] : []
  })
  warnTwice(asked, files)
  return {
    before: before ? recipeFile(asked, 'pre_postinstall_file', before, lastPart(before)) : undefined,
    files,
    parameters: readParameters(asked),
    timeout: asked.number('postinstall_timeout', 10_000, 0, WEEK, 'seconds'),
  }
}

/** All scripts land in one folder of the machine. */
function warnTwice(asked: Asked, files: readonly RecipeFile[]): void {
  const paths = new Map<string, string>()
  for (const { name, path } of files) {
    const other = paths.get(name)
    if (other !== undefined && other !== path)
      asked.warn(
        'postinstall_files',
        `${other} and ${path} have one name in the machine, and the last overwrites the other`,
        path,
      )
    paths.set(name, path)
  }
}

/** Exported to the scripts by `.veewee_params`: names that a shell takes. */
function readParameters(asked: Asked): Record<string, string> {
  const value = asked.value('params')
  if (value === undefined) return {}
  const parameters: Record<string, string> = {}
  if (!(value instanceof RubyHash)) {
    asked.fault('params', `params is ${shown(value)}; it needs a hash`)
    return parameters
  }
  for (const { key, value: setting } of value.entries()) {
    const [name, text] = [toText(key) ?? '', toText(setting)]
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      asked.fault('params', `${shown(key)} in params cannot be the name of a shell's variable`, name)
    else if (text === undefined)
      asked.fault('params', `${name} in params is ${shown(setting)}; it needs a string`)
    else parameters[name] = text
  }
  return parameters
}

/**
 * A file that has to be there; a template is rendered. VeeWee also took `ks.cfg` for `ks.cfg.erb` where only that
 * exists.
 */
function recipeFile(asked: Asked, key: string, path: string, name: string): RecipeFile | undefined {
  const { files } = asked.world
  let found = files.read(path)
  let real = path
  if ('trouble' in found && found.trouble === 'does not exist' && !path.endsWith('.erb')) {
    const template = files.read(`${path}.erb`)
    if ('bytes' in template) {
      found = template
      real = `${path}.erb`
    }
  }
  if ('trouble' in found) {
    asked.fault(key, `${key} names ${path}, which ${found.trouble}`, path)
    return undefined
  }
  if (!real.endsWith('.erb')) return { name, path, text: undefined }
  const template = decode(found.bytes)
  if (template === undefined) {
    asked.fault(key, `${key} names ${real}, which is not text in UTF-8`, path)
    return undefined
  }
  const text = renderTemplate(new SourceText(files.shown(real), template), asked.world)
  return text === undefined ? undefined : { name: name.replace(/\.erb$/, ''), path: real, text }
}

/** Where VeeWee served a file: by its path from the definition's folder, as a client asks for it. */
function urlPath(asked: Asked, path: string): string {
  const folder = `${asked.world.path}/`
  const relative = path.startsWith(folder) ? path.slice(folder.length) : path
  return relative.replace(/^(\.{0,2}\/)+/, '')
}

function lastPart(path: string): string {
  return path.replace(/\/+$/, '').split('/').at(-1) ?? path
}
