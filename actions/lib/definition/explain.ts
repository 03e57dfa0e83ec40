import { formatSize } from '../units/size.ts'
import type { Declared } from './declared.ts'
import type { Definition } from './definition.ts'
import type { Recipe, RecipeFile } from './recipe-types.ts'
import {
  inspect,
  RubyDigest,
  RubyFloat,
  RubyHash,
  RubyProc,
  RubyRange,
  RubySymbol,
  type RubyValue,
  toText,
} from './value.ts'

const WIDTH = 100

/** A definition for people: every key as it was declared and where, then what it makes of the machine. */
export function explain(definition: Definition, strategy: 'install' | 'bootstrap' = 'install'): string {
  const keys = [...definition.declared.values()]
  const width = Math.max(0, ...keys.map(({ name }) => name.length))
  const lines = keys.map(
    (key) => `  ${key.name.padEnd(width)}  ${shown(key.value, width + 4)}  # ${from(key)}`,
  )
  for (const name of definition.unknown) lines.push(`  ${name.padEnd(width)}  # not known, see the faults`)
  const recipe = definition.recipe ? ['', 'The machine:', ...machine(definition.recipe, strategy)] : []
  return [`${definition.name} declares ${keys.length} keys:`, ...lines, ...recipe, ''].join('\n')
}

/** The declared keys and values exactly as VeeWee got them, and the machine made of them; see {@link plainValue}. */
export function explainJson(definition: Definition): Record<string, unknown> {
  const declared = [...definition.declared.values()].map(({ name, value }) => [name, plainValue(value)])
  const { name, unknown, recipe } = definition
  // Of the boot sequence the strings say it all; the single keys would be pages.
  const machine = recipe && { ...recipe, boot: { wait: recipe.boot.wait, sequence: recipe.boot.sequence } }
  return { name, declared: Object.fromEntries(declared), unknown, recipe: machine ?? null }
}

/**
 * A value for JSON, in which strings stay strings and numbers numbers. What JSON does not have is an object of one
 * key: `{"$symbol": "name"}`, `{"$float": 1}` for a number that is no integer to Ruby, `{"$integer": "…"}` for one
 * too large for JSON, `{"$range": [1, 3]}` (`$openRange` for `...`), `{"$proc": "file:line"}`. The keys of a hash
 * are names, whether they were symbols or strings, as `:a` and `'a'` are one key to nearly all of VeeWee; when a hash
 * has both, or other keys, it is `{"$pairs": [[key, value], …]}`.
 */
export function plainValue(value: RubyValue): unknown {
  if (Array.isArray(value)) return value.map(plainValue)
  if (value instanceof RubySymbol) return { $symbol: value.name }
  if (value instanceof RubyFloat)
    return Number.isInteger(value.value) || !Number.isFinite(value.value)
      ? { $float: Number.isFinite(value.value) ? value.value : toText(value) }
      : value.value
  if (typeof value === 'bigint') return { $integer: String(value) }
  if (value instanceof RubyDigest) return value.hex
  if (value instanceof RubyRange)
    return { [value.exclusive ? '$openRange' : '$range']: [plainValue(value.from), plainValue(value.to)] }
  if (value instanceof RubyProc) {
    const { source, span } = value.place
    const { file, line } = source.fault(span, '')
    return { $proc: `${file}:${line}` }
  }
  if (value instanceof RubyHash) return plainHash(value)
  return typeof value === 'object' && value !== null ? inspect(value) : value
}

function plainHash(hash: RubyHash): unknown {
  const entries = hash.entries()
  const names = entries.map(({ key }) =>
    typeof key === 'string' ? key : key instanceof RubySymbol ? key.name : undefined,
  )
  const plain =
    !names.includes(undefined) && new Set(names).size === names.length && !names.includes('__proto__')
  if (plain && !names.some((name) => name!.startsWith('$')))
    return Object.fromEntries(entries.map(({ value }, index) => [names[index], plainValue(value)]))
  return { $pairs: entries.map(({ key, value }) => [plainValue(key), plainValue(value)]) }
}

function from({ valuePlace, overridden }: Declared): string {
  if (overridden) return overridden
  const { file, line } = valuePlace.source.fault(valuePlace.span, '')
  return `${file}:${line}`
}

/** On one line if it fits, else an item a line. */
function shown(value: RubyValue, indent: number): string {
  const line = inspect(value)
  if (line.length + indent <= WIDTH) return line
  const pad = ' '.repeat(indent + 2)
  if (Array.isArray(value) && value.length)
    return `[\n${value.map((item) => `${pad}${shown(item, indent + 2)},\n`).join('')}${' '.repeat(indent)}]`
  if (value instanceof RubyHash && value.size)
    return `{\n${value
      .entries()
      .map(({ key, value: item }) => `${pad}${inspect(key)} => ${shown(item, indent + 2)},\n`)
      .join('')}${' '.repeat(indent)}}`
  return line
}

function machine(recipe: Recipe, strategy: 'install' | 'bootstrap'): string[] {
  const { ssh, postinstall } = recipe
  const scripts = postinstall.files.filter(({ skipped }) => !skipped)
  const skipped = postinstall.files.filter((file) => file.skipped)
  return [
    `  ${recipe.cpus} CPU${recipe.cpus === 1 ? '' : 's'}, ${size(recipe.memory)} of memory, ${recipe.bits} bits`,
    `  ${recipe.disks.count === 1 ? 'a disk' : `${recipe.disks.count} disks`} of ${size(recipe.disks.size)}`,
    ...(strategy === 'bootstrap' ? ['  made from the mirror: its installer is not run'] : installed(recipe)),
    `  login as ${ssh.user} by ${ssh.password === undefined ? 'key' : 'password'}, awaited for ${ssh.timeout} s`,
    `  scripts: ${scripts.length ? names(scripts) : 'none'}`,
    ...(skipped.length ? [`  not run: ${names(skipped)}`] : []),
    `  shut down by ${recipe.shutdownCommand || 'the power button'}`,
  ]
}

/** How its installer is brought to install. */
function installed({ iso, boot, kickstart, floppy }: Recipe): string[] {
  return [
    ...(iso
      ? [
          `  installed from ${iso.file}${iso.source ? ` (${iso.source})` : ''}`,
          ...iso.digests.map(digestLine),
        ]
      : []),
    ...(boot.keys.length
      ? [
          `  ${boot.keys.filter(({ kind }) => kind === 'press').length} keys typed, the first after ${boot.wait} s`,
        ]
      : []),
    ...(kickstart ? [`  answers in ${names(kickstart.files)}, served from port ${kickstart.port} on`] : []),
    ...(floppy.length ? [`  a floppy with ${names(floppy)}`] : []),
  ]
}

function digestLine({ algorithm, hex }: { algorithm: string; hex: string }): string {
  return `    ${algorithm} ${hex}`
}

function names(files: readonly RecipeFile[]): string {
  return files.map(({ name }) => name).join(', ')
}

/** In the units of definitions, which are powers of two. */
function size(bytes: number): string {
  return bytes % 2 ** 30 === 0
    ? `${bytes / 2 ** 30} GiB`
    : bytes % 2 ** 20 === 0
      ? `${bytes / 2 ** 20} MiB`
      : formatSize(bytes)
}
