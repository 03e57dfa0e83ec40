import type * as nodes from '@ruby/prism/src/nodes.js'
import { kindOf } from './arguments.ts'
import { isAsked } from './construct.ts'
import type { Evaluator, Node } from './evaluate.ts'
import { type DigestAlgorithm, decode } from './files.ts'
import { RubyDigest, RubyHash, type RubyValue, toText, Unknown } from './value.ts'

interface ClassCall {
  evaluator: Evaluator
  node: nodes.CallNode
}

const ALGORITHMS: Readonly<Record<string, DigestAlgorithm>> = {
  'Digest::MD5': 'md5',
  'Digest::SHA1': 'sha1',
  'Digest::SHA256': 'sha256',
  'Digest::SHA2': 'sha256',
  'Digest::SHA384': 'sha384',
  'Digest::SHA512': 'sha512',
}

/**
 * `File.basename(…)`, `Digest::MD5.file(…)`, `Veewee::Definition.declare …`
 *
 * @returns `undefined` for what is not in the subset
 */
export function askClass(name: string, method: string, call: ClassCall): RubyValue | undefined {
  if (call.node.block) return undefined
  if (name === 'Veewee::Session' || name === 'Veewee::Definition') {
    if (method === 'declare') return declare(call)
    if (method === 'declare_yaml') return declareYaml(call)
    return undefined
  }
  const read = Object.hasOwn(CLASSES, name) ? CLASSES[name]! : undefined
  if (!read && !ALGORITHMS[name]) return undefined
  const { evaluator, node } = call
  // Not evaluated before it is known that the call is in the subset: it would report parts of one and the same fault.
  if (read && !read.methods.includes(method)) return undefined
  const args = evaluator.arguments(node)
  const unknown = args.find((value) => value instanceof Unknown)
  if (unknown !== undefined) return unknown
  return read ? read.ask(method, args, call) : digest(ALGORITHMS[name]!, method, args, call)
}

/** Whether the subset knows the class, or would know what to say of it. */
export function isClass(name: string): boolean {
  return /^Veewee::/.test(name) || name in ALGORITHMS || Object.hasOwn(CLASSES, name) || isAsked(name)
}

function declare({ evaluator, node }: ClassCall): RubyValue {
  const args = evaluator.arguments(node)
  const [options] = args
  if (options instanceof Unknown) {
    evaluator.world.lost()
    return options
  }
  if (args.length !== 1 || !(options instanceof RubyHash))
    return evaluator.fault(
      node as unknown as Node,
      `declare needs one hash of keys, not ${args.length === 1 ? kindOf(options!) : `${args.length} values`}`,
    )
  evaluator.world.declare(options, evaluator.place(node as unknown as Node))
  return options
}

function declareYaml({ evaluator, node }: ClassCall): RubyValue {
  const written = (node.arguments_?.arguments_ ?? []) as unknown as Node[]
  if (written.length === 0)
    return evaluator.fault(node as unknown as Node, 'declare_yaml needs at least one file or hash')
  for (const argument of written) {
    const place = evaluator.place(argument)
    for (const option of [evaluator.evaluate(argument)].flat()) {
      if (option instanceof Unknown) {
        evaluator.world.lost()
        continue
      }
      const values = typeof option === 'string' ? evaluator.world.yaml(option, place) : option
      if (values === undefined) continue // its faults are reported
      if (values instanceof RubyHash) evaluator.world.declare(values, place)
      else
        evaluator.fault(
          argument,
          typeof option === 'string'
            ? `${option} holds ${kindOf(values)}, not keys with values`
            : `declare_yaml takes names of files and hashes, not ${kindOf(option)}`,
        )
    }
  }
  return null
}

interface RubyClass {
  methods: readonly string[]
  ask(method: string, args: readonly RubyValue[], call: ClassCall): RubyValue | undefined
}

const readFile: RubyClass['ask'] = (_, [path, ...rest], { evaluator, node }) => {
  if (typeof path !== 'string' || rest.length) return undefined
  const found = evaluator.world.files.read(path)
  if ('trouble' in found) return evaluator.fault(node as unknown as Node, `${path} ${found.trouble}`)
  return decode(found.bytes) ?? evaluator.fault(node as unknown as Node, `${path} is not text in UTF-8`)
}

const CLASSES: Readonly<Record<string, RubyClass>> = {
  File: {
    methods: ['basename', 'dirname', 'extname', 'join', 'expand_path', 'absolute_path', 'read'],
    ask(method, args, call) {
      if (method === 'read') return readFile(method, args, call)
      const texts = args.flat(8)
      if (!texts.every((text) => typeof text === 'string') || texts.length === 0) return undefined
      const [first, second] = texts as string[]
      if (method === 'join') return joinPaths(texts as string[])
      if (texts.length > 2) return undefined
      if (method === 'basename') return basename(first!, second)
      if (method === 'expand_path' || method === 'absolute_path')
        return expandPath(first!, second, call.evaluator.world.path)
      if (texts.length > 1) return undefined
      return method === 'dirname' ? dirname(first!) : extname(first!)
    },
  },
  IO: { methods: ['read'], ask: readFile },
  YAML: {
    methods: ['load_file'],
    ask(_, [path], { evaluator, node }) {
      if (typeof path !== 'string') return undefined
      return (
        evaluator.world.yaml(path, evaluator.place(node as unknown as Node)) ??
        new Unknown(evaluator.source.fault((node as unknown as Node).location, `${path} has faults`))
      )
    },
  },
  ENV: {
    methods: ['[]', 'fetch'],
    ask(method, [name, otherwise], { evaluator }) {
      if (name !== 'VEEWEE_MEMORY_SIZE' && name !== 'VEEWEE_CPU_COUNT') return undefined
      const value = evaluator.world.environment[name as 'VEEWEE_CPU_COUNT']
      return value ?? (method === 'fetch' ? otherwise : null) ?? null
    },
  },
  Hash: {
    methods: ['new', '[]'],
    ask(method, [hash]) {
      if (hash === undefined) return new RubyHash()
      return method === '[]' && hash instanceof RubyHash ? hash.copy() : undefined
    },
  },
  Array: { methods: ['new'], ask: (_, args) => (args.length === 0 ? [] : undefined) },
}
/** Psych is what YAML is. */
const ALIASES: Readonly<Record<string, string>> = { Psych: 'YAML' }
for (const [alias, name] of Object.entries(ALIASES))
  (CLASSES as Record<string, RubyClass>)[alias] = CLASSES[name]!

function digest(
  algorithm: DigestAlgorithm,
  method: string,
  [argument, ...rest]: readonly RubyValue[],
  { evaluator, node }: ClassCall,
): RubyValue | undefined {
  const text = argument === undefined ? undefined : toText(argument)
  if (text === undefined || rest.length || !['file', 'hexdigest'].includes(method)) return undefined
  const { files } = evaluator.world
  const found = method === 'file' ? files.digest(algorithm, text) : files.digestOf(algorithm, text)
  if (method === 'hexdigest' && 'hex' in found) return found.hex
  return 'hex' in found
    ? new RubyDigest(found.hex)
    : evaluator.fault(node as unknown as Node, `${text} ${found.trouble}`)
}

/** Ruby's `File.join`: one slash between two parts, however many they end or begin with. */
function joinPaths(parts: readonly string[]): string {
  return parts.reduce((path, part) => `${path.replace(/\/+$/, '')}/${part.replace(/^\/+/, '')}`)
}

/** Ruby's `File.basename`; `.*` as ending stands for any. */
function basename(path: string, ending?: string): string {
  const trimmed = path.replace(/\/+$/, '')
  const name = trimmed === '' && path !== '' ? '/' : trimmed.slice(trimmed.lastIndexOf('/') + 1)
  const end = ending === '.*' ? extname(name) : ending
  return end && name.endsWith(end) && name !== end ? name.slice(0, -end.length) : name
}

function dirname(path: string): string {
  const trimmed = path.replace(/\/+$/, '')
  if (trimmed === '') return path.startsWith('/') ? '/' : '.'
  const at = trimmed.lastIndexOf('/')
  return at < 0 ? '.' : trimmed.slice(0, at).replace(/\/+$/, '') || '/'
}

function extname(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const at = name.lastIndexOf('.')
  return at <= 0 || at === name.length - 1 ? '' : name.slice(at)
}

/** Ruby's `File.expand_path`, from the definition's folder, where VeeWee was while it read. */
function expandPath(path: string, from: string | undefined, folder: string): string {
  const whole = [folder, from, path].reduce<string>(
    (base, part) => (part === undefined ? base : part.startsWith('/') ? part : `${base}/${part}`),
    '',
  )
  const parts: string[] = []
  for (const part of whole.split('/'))
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  return `/${parts.join('/')}`
}
