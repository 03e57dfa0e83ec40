import { type Asked, shown } from './asked.ts'
import { keyNamed } from './keys.ts'
import type { HypervisorBlock, Recipe } from './recipe-types.ts'
import { RubyHash, type RubyValue, toText } from './value.ts'

/** The blocks `:virtualbox`, `:kvm` and `:vmfusion`, as text; what they mean to a driver is the driver's to say. */
export function readHypervisors(asked: Asked): Recipe['hypervisors'] {
  const blocks = {
    virtualbox: readBlock(asked, 'virtualbox'),
    kvm: readBlock(asked, 'kvm'),
    vmfusion: readBlock(asked, 'vmfusion'),
  }
  for (const name of ['parallels', 'hyperv'])
    if (asked.value(name) !== undefined) asked.warnKey(name, `${name} is ignored: there is no driver for it`)
  return { ...blocks, virtualbox: { ...blocks.virtualbox, options: withSwitches(asked, blocks.virtualbox) } }
}

/** The switches from before `:virtualbox` existed. */
function withSwitches(asked: Asked, block: HypervisorBlock): Record<string, string> {
  const options = { ...block.options }
  for (const [name, { value }] of asked.declared) {
    if (!keyNamed(name)?.switch || value === null) continue
    const text = optionText(value)
    if (text === undefined) {
      asked.fault(name, `${name} is ${shown(value)}; it needs 'on' or 'off'`)
      continue
    }
    asked.warnKey(
      name,
      `${name} is deprecated and only for VirtualBox: write :virtualbox => { :vm_options => [{ '${name}' => '${text}' }] }`,
    )
    options[name] ??= text
  }
  return options
}

function readBlock(asked: Asked, name: 'virtualbox' | 'kvm' | 'vmfusion'): HypervisorBlock {
  const block = asked.value(name)
  if (block === undefined) return { options: {}, extradata: undefined }
  if (!(block instanceof RubyHash)) {
    asked.fault(name, `${name} is ${shown(block)}; it needs a hash such as { :vm_options => [{ … }] }`)
    return { options: {}, extradata: undefined }
  }
  let options: Record<string, string> = {}
  let extradata: string | undefined
  for (const { key, value } of block.entries()) {
    const what = toText(key)
    if (what === 'vm_options') options = readOptions(asked, name, value)
    else if (what === 'extradata') extradata = extra(asked, name, value)
    else asked.warn(name, `${name} has nothing called ${shown(key)}, which is ignored; :vm_options?`, what)
  }
  return { options, extradata }
}

function extra(asked: Asked, name: string, value: RubyValue): string | undefined {
  const lines = [value].flat().map((line) => (line === null ? '' : toText(line)))
  if (!lines.includes(undefined)) return lines.join('\n') || undefined
  asked.fault(name, `extradata of ${name} is ${shown(value)}; it needs a string`)
  return undefined
}

/** An array of which VeeWee read the first hash only. */
function readOptions(asked: Asked, name: string, value: RubyValue): Record<string, string> {
  if (value === null) return {}
  // VMware's block was read as a plain hash.
  if (value instanceof RubyHash && value.size > 0 && name !== 'vmfusion')
    asked.warn(
      name,
      `vm_options of ${name} is a hash, which VeeWee silently ignored; it is honoured here: write [{ … }]`,
      'vm_options',
    )
  const list = value instanceof RubyHash ? [value] : value
  if (!Array.isArray(list) || !list.every((item) => item instanceof RubyHash)) {
    asked.fault(name, `vm_options of ${name} is ${shown(value)}; it needs an array with one hash`)
    return {}
  }
  if (list.length > 1)
    asked.warn(
      name,
      `vm_options of ${name} has ${list.length} hashes, of which VeeWee read only the first: put all options into that`,
      'vm_options',
    )
  const options: Record<string, string> = {}
  for (const { key, value: setting } of (list[0] as RubyHash | undefined)?.entries() ?? []) {
    const [option, text] = [toText(key), optionText(setting)]
    if (option !== undefined && text !== undefined) options[option] = text
    else asked.fault(name, `option ${shown(key)} of ${name} is ${shown(setting)}; it needs a string`)
  }
  return options
}

/** VeeWee put options into a command line: `true` is what it said there. */
function optionText(value: RubyValue): string | undefined {
  return Array.isArray(value) || value instanceof RubyHash ? undefined : toText(value)
}
