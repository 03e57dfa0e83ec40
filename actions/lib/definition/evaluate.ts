import * as nodes from '@ruby/prism/src/nodes.js'
import { kindOf, MAX_TEXT, Refusal } from './arguments.ts'
import { callOn } from './calls.ts'
import { askClass, isClass } from './classes.ts'
import { type Words, wordsFor, wordsForConstant, wordsForFunction } from './construct.ts'
import { constantName, EXPRESSIONS, isConstant } from './expressions.ts'
import { FUNCTIONS, type FunctionCall, type RubyFunction } from './functions.ts'
import type { SourceText, Span } from './source.ts'
import { type Place, RubyDefinition, RubyHash, RubyProc, type RubyValue, toText, Unknown } from './value.ts'
import type { World } from './world.ts'

/** A node of Prism's tree: only what all of them have. */
export interface Node {
  readonly location: Span
  compactChildNodes(): Node[]
}

/** Prism's strings: `validEncoding` is false for the likes of `"\xff"`. */
interface PrismString {
  readonly value: string
  readonly encoding: string
  readonly validEncoding: boolean
}

/** Levels of expressions within expressions; a long chain of `+` is one level each. */
const MAX_LEVELS = 400
/** Characters that all calculations of a file may make together. */
const MAX_WORK = 32 * MAX_TEXT

export interface EvaluatorOptions {
  /** Templates may have conditions; a definition's values have to stand there. */
  conditions?: boolean
  /** Found before those that definitions have. */
  functions?: Readonly<Record<string, RubyFunction>>
}

/**
 * Evaluates the subset of Ruby that definitions use (DESIGN §7): literals, locals, a few operations on them. There
 * are no loops and no methods of the definition's own, so it always ends. Whatever is outside the subset is
 * reported once and becomes `Unknown`, and so does everything made from it, without further faults.
 */
export class Evaluator {
  readonly source: SourceText
  readonly world: World
  /** Whether anything evaluated so far could not be known. */
  metUnknown = false
  readonly #conditions: boolean
  readonly #functions: Readonly<Record<string, RubyFunction>>
  readonly #locals = new Map<string, RubyValue>()
  readonly #methods = new Map<string, Unknown>()
  #last: Unknown | undefined
  #level = 0
  #work = 0

  constructor(source: SourceText, world: World, options: EvaluatorOptions = {}) {
    this.source = source
    this.world = world
    this.#conditions = options.conditions ?? false
    this.#functions = { ...FUNCTIONS, ...options.functions }
  }

  /** One statement or expression. */
  evaluate(node: Node): RubyValue {
    if (this.#level >= MAX_LEVELS)
      return this.fault(node, 'this is nested too deeply; put its parts into local variables')
    this.#level++
    try {
      const read = EXPRESSIONS.get((node as object).constructor)
      const value = read ? read(this, node) : this.outside(node)
      if (value instanceof Unknown) this.metUnknown = true
      return value
    } catch (thrown) {
      if (thrown instanceof Refusal) return this.fault(node, thrown.message)
      throw thrown
    } finally {
      this.#level--
    }
  }

  /** The last of several statements. */
  all(statements: readonly Node[]): RubyValue {
    let last: RubyValue = null
    for (const statement of statements) last = this.evaluate(statement)
    return last
  }

  place(node: { location: Span }): Place {
    return { source: this.source, span: node.location }
  }

  /** Reports a fault and gives what is not known because of it. */
  fault(node: { location: Span }, message: string): Unknown {
    this.metUnknown = true
    if (this.world.enough && this.#last) return this.#last
    const fault = this.source.fault(node.location, message)
    this.world.report(fault)
    this.#last = new Unknown(fault)
    return this.#last
  }

  refuse(node: { location: Span }, what: string, how: string): Unknown {
    const excerpt = this.source.excerpt(node.location)
    return this.fault(node, `${excerpt} is ${what}, and definitions are read, never run: ${how}`)
  }

  warn(node: { location: Span }, message: string): void {
    if (!this.world.enough) this.world.warn(this.source.fault(node.location, message))
  }

  /** For syntax outside the subset. What it would have assigned is not known either. */
  outside(node: Node, words: Words = wordsFor(node)): Unknown {
    const known = this.#unknownAlready(node)
    const unknown = known ?? this.refuse(node, words.what, words.how)
    this.#forget(node, unknown, 0)
    return unknown
  }

  /** Whether a construct is made of something already reported; nothing new is reported by looking. */
  #unknownAlready(node: Node, depth = 0): Unknown | undefined {
    if (depth > 20) return undefined
    for (const child of node.compactChildNodes().slice(0, 50)) {
      if (child instanceof nodes.LocalVariableReadNode) {
        const value = this.#locals.get(child.name)
        if (value instanceof Unknown) return value
      }
      const found = LOOKED_THROUGH.has(child.constructor) ? this.#unknownAlready(child, depth + 1) : undefined
      if (found) return found
    }
    return undefined
  }

  #forget(node: Node, unknown: Unknown, depth: number): void {
    if (depth > MAX_LEVELS) return
    if (node instanceof nodes.CallNode && node.name.startsWith('declare')) this.world.lost()
    if (
      node instanceof nodes.LocalVariableWriteNode ||
      node instanceof nodes.LocalVariableTargetNode ||
      node instanceof nodes.LocalVariableOperatorWriteNode ||
      node instanceof nodes.LocalVariableOrWriteNode
    )
      this.#locals.set(node.name, unknown)
    if (node instanceof nodes.ConstantWriteNode) this.world.constants.set(node.name, unknown)
    if (node instanceof nodes.DefNode) this.#methods.set(node.name, unknown)
    for (const child of node.compactChildNodes()) this.#forget(child, unknown, depth + 1)
  }

  /** Counts what has been made, so that no definition can double a string for ever. */
  made<T extends RubyValue>(value: T): T {
    if (typeof value === 'string') this.#work += value.length
    else if (Array.isArray(value)) this.#work += value.length * 8
    if (this.#work > MAX_WORK) throw new Refusal('more text than any definition needs')
    return value
  }

  /** From the source, because Prism's own value is cut to 64 bits. */
  integer({ startOffset, length }: Span): RubyValue {
    const text = this.source.bytes.toString('latin1', startOffset, startOffset + length).replaceAll('_', '')
    const [, sign, digits] = /^([-+]?)(.*)$/s.exec(text.toLowerCase()) as unknown as [string, string, string]
    const plain = /^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits.replace(/^0d/, '')
    if (!/^(0[xbo])?[0-9a-f]+$/.test(plain) || plain.length > 5000)
      throw new Refusal('a number of this kind is not read')
    const value = sign === '-' ? -BigInt(plain) : BigInt(plain)
    return Number.isSafeInteger(Number(value)) ? Number(value) : value
  }

  string(node: Node, { value, encoding, validEncoding }: PrismString): RubyValue {
    if (validEncoding && (encoding === 'utf-8' || /^[\0-\x7f]*$/.test(value))) return value
    return this.fault(node, 'a string with bytes that are not UTF-8; write the characters themselves')
  }

  /** `"…#{}…"`: the parts put together, or what is unknown in them. */
  interpolated(parts: readonly Node[]): RubyValue {
    let unknown: Unknown | undefined
    let text = ''
    for (const part of parts) {
      const value =
        part instanceof nodes.EmbeddedStatementsNode
          ? this.all((part.statements?.body ?? []) as unknown as Node[])
          : this.evaluate(
              part instanceof nodes.EmbeddedVariableNode ? (part.variable as unknown as Node) : part,
            )
      if (value instanceof Unknown) unknown ??= value
      else {
        const piece = toText(value)
        if (piece === undefined)
          unknown ??= this.fault(part, `${kindOf(value)} put into a string; put its parts there`)
        else text += piece
      }
      if (text.length > MAX_TEXT) throw new Refusal(`a string of more than ${MAX_TEXT} characters`)
    }
    return unknown ?? this.made(text)
  }

  array(elements: readonly Node[]): RubyValue {
    const items: RubyValue[] = []
    for (const element of elements)
      if (element instanceof nodes.SplatNode && element.expression) {
        const value = this.evaluate(element.expression as unknown as Node)
        if (value instanceof Unknown) return value
        items.push(...(Array.isArray(value) ? value : value === null ? [] : [value]))
      } else items.push(this.evaluate(element))
    return this.made(items)
  }

  hash(elements: readonly Node[]): RubyValue {
    const hash = new RubyHash()
    for (const element of elements)
      if (element instanceof nodes.AssocNode) {
        const keyNode = element.key as unknown as Node
        const valueNode = element.value as unknown as Node
        const key = this.evaluate(keyNode)
        const value = this.evaluate(valueNode)
        if (key instanceof Unknown) {
          this.world.lost() // reported; the other keys still count
          continue
        }
        if (hash.has(key))
          this.warn(
            keyNode,
            `${this.source.excerpt(keyNode.location)} stands twice in this hash; the last counts`,
          )
        hash.set({ key, value, keyPlace: this.place(keyNode), valuePlace: this.place(valueNode) })
      } else {
        const spread = element instanceof nodes.AssocSplatNode ? element.value : null
        const value = spread ? this.evaluate(spread as unknown as Node) : this.outside(element)
        if (value instanceof Unknown) {
          this.world.lost()
          continue
        }
        if (!(value instanceof RubyHash)) return this.fault(element, `** needs a hash, not ${kindOf(value)}`)
        for (const entry of value.entries()) hash.set(entry)
      }
    return hash
  }

  local(name: string): RubyValue {
    return this.#locals.get(name) ?? null
  }

  assign(name: string, value: RubyValue): RubyValue {
    this.#locals.set(name, value)
    return value
  }

  constant(node: Node): RubyValue | undefined {
    const name = constantName(node)
    return name === undefined ? undefined : this.world.constants.get(name)
  }

  arguments(node: nodes.CallNode): RubyValue[] {
    const args = (node.arguments_?.arguments_ ?? []) as unknown as Node[]
    const values = this.array(args)
    return Array.isArray(values) ? values : [values]
  }

  call(node: nodes.CallNode): RubyValue {
    const receiver = node.receiver as unknown as Node | null
    const itself = node as unknown as Node
    if (receiver && isConstant(receiver) && this.constant(receiver) === undefined)
      return this.#classCall(node, constantName(receiver) ?? this.source.excerpt(receiver.location))
    if (!receiver) return this.#functionCall(node)
    if (node.block) {
      const value = this.evaluate(receiver)
      if (value instanceof Unknown) return value
      return this.outside(itself, {
        what: `a call of ${node.name} with a block`,
        how: 'write out what comes of it',
      })
    }
    const self = this.evaluate(receiver)
    const args = this.arguments(node)
    if (self instanceof RubyHash && SETTERS.has(node.name) && args.length === 2)
      return this.#set(node, self, args)
    const unknown = [self, ...args].find((value) => value instanceof Unknown)
    if (unknown instanceof Unknown) {
      // What was to be put into a list or a hash is missing there.
      if (Array.isArray(self) && GROWING.has(node.name)) self.push(unknown)
      if (self instanceof RubyHash) this.world.lost()
      return unknown
    }
    if (self === null && node.isSafeNavigation()) return null
    if (self instanceof RubyDefinition) return this.#ask(node, args)
    const result = callOn(self, node.name, args)
    if (result !== undefined) return this.made(result)
    return this.outside(itself, {
      what: `a call of ${node.name} of ${kindOf(self)}`,
      how: 'write the value that comes of it',
    })
  }

  /** `hash[key] = value`, which knows where it stands. */
  #set(node: nodes.CallNode, hash: RubyHash, [key = null, value = null]: readonly RubyValue[]): RubyValue {
    if (key instanceof Unknown) this.world.lost()
    if (key instanceof Unknown) return key
    const [keyNode, valueNode] = (node.arguments_?.arguments_ ?? []) as unknown as Node[]
    hash.set({ key, value, keyPlace: this.place(keyNode ?? node), valuePlace: this.place(valueNode ?? node) })
    return value
  }

  /** `File.join(…)`, `Veewee::Definition.declare …`: calls of classes and modules. */
  #classCall(node: nodes.CallNode, name: string): RubyValue {
    const missing = this.world.constants.get('?')
    if (missing instanceof Unknown && !isClass(name)) return missing // of a file that could not be read
    if (name === 'Proc' && node.name === 'new' && node.block)
      return new RubyProc(this.place(node as unknown as Node))
    const answer = askClass(name, node.name, { evaluator: this, node })
    if (answer !== undefined) return answer
    return this.outside(node as unknown as Node, wordsForConstant(name, node.name))
  }

  /** `name`, `require '…'`, `lambda { }`: calls without a receiver. */
  #functionCall(node: nodes.CallNode): RubyValue {
    const method = this.#methods.get(node.name)
    if (method) return method
    const call: FunctionCall = { evaluator: this, node }
    const known = Object.hasOwn(this.#functions, node.name) ? this.#functions[node.name]!(call) : undefined
    if (known !== undefined) return known
    if (node.isVariableCall())
      return this.fault(
        node as unknown as Node,
        `${node.name} is not known here: no local variable of this name was assigned before`,
      )
    return this.outside(node as unknown as Node, wordsForFunction(node.name))
  }

  /** `definition.iso_file` and `definition.iso_file = …` */
  #ask(node: nodes.CallNode, args: readonly RubyValue[]): RubyValue {
    const key = node.name.replace(/=$/, '')
    const place = this.place(node as unknown as Node)
    if (node.name !== key && args.length === 1) {
      const hash = new RubyHash()
      hash.set({ key, value: args[0]!, keyPlace: place, valuePlace: place })
      this.world.declare(hash, place)
      return args[0]!
    }
    const value = this.world.declared(key)
    if (value !== undefined && args.length === 0) return value
    return this.fault(node as unknown as Node, `definition.${node.name} is not a key of definitions`)
  }

  /** `a || b` and the like, and conditions where they may be. */
  condition(node: Node, test: Node): boolean | Unknown {
    if (!this.#conditions) return this.outside(node)
    const value = this.evaluate(test)
    return value instanceof Unknown ? value : value !== null && value !== false
  }
}

const SETTERS = new Set(['[]=', 'store'])
const GROWING = new Set(['<<', 'push', 'unshift', 'concat'])

/** Calls are made of these: something unknown in them makes the call unknown. */
const LOOKED_THROUGH = new Set<unknown>([
  nodes.CallNode,
  nodes.ArgumentsNode,
  nodes.ParenthesesNode,
  nodes.StatementsNode,
  nodes.InterpolatedStringNode,
  nodes.EmbeddedStatementsNode,
  nodes.ArrayNode,
])
