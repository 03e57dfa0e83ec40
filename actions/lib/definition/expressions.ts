import * as nodes from '@ruby/prism/src/nodes.js'
import { callOn } from './calls.ts'
import type { Evaluator, Node } from './evaluate.ts'
import { RubyFloat, RubyProc, RubyRange, RubyRegexp, RubySymbol, type RubyValue, Unknown } from './value.ts'

/** `Veewee` or `Veewee::Session` */
export function isConstant(node: Node): boolean {
  return node instanceof nodes.ConstantReadNode || node instanceof nodes.ConstantPathNode
}

/** `Veewee::Session`; a leading `::` is left out. */
export function constantName(node: Node): string | undefined {
  if (node instanceof nodes.ConstantReadNode) return node.name
  if (!(node instanceof nodes.ConstantPathNode) || node.name === null) return undefined
  if (node.parent === null) return node.name
  const parent = constantName(node.parent as unknown as Node)
  return parent === undefined ? undefined : `${parent}::${node.name}`
}

type Expression = (evaluator: Evaluator, node: Node) => RubyValue

/** How each kind of syntax in the subset is evaluated, by Prism's class of it. */
export const EXPRESSIONS = new Map<unknown, Expression>()

/** Says how a kind of node is evaluated. */
function on<T>(
  type: abstract new (...args: never[]) => T,
  read: (evaluator: Evaluator, node: T) => RubyValue,
) {
  EXPRESSIONS.set(type, read as unknown as Expression)
}

const node = (value: unknown) => value as Node
const list = (value: unknown) => value as Node[]

on(nodes.NilNode, () => null)
on(nodes.TrueNode, () => true)
on(nodes.FalseNode, () => false)
on(nodes.IntegerNode, (e, { location }) => e.integer(location))
on(nodes.FloatNode, (_, { value }) => new RubyFloat(value as number))
on(nodes.StringNode, (e, n) => e.string(node(n), n.unescaped))
on(nodes.InterpolatedStringNode, (e, n) => e.interpolated(list(n.parts)))
on(nodes.SymbolNode, (e, n) => {
  const name = e.string(node(n), n.unescaped)
  return typeof name === 'string' ? new RubySymbol(name) : name
})
on(nodes.InterpolatedSymbolNode, (e, n) => {
  const name = e.interpolated(list(n.parts))
  return typeof name === 'string' ? new RubySymbol(name) : name
})
on(nodes.ArrayNode, (e, n) => e.array(list(n.elements)))
on(nodes.HashNode, (e, n) => e.hash(list(n.elements)))
on(nodes.KeywordHashNode, (e, n) => e.hash(list(n.elements)))
on(nodes.ImplicitNode, (e, n) => e.evaluate(node(n.value)))
on(nodes.RangeNode, (e, n) => {
  const [from, to] = [n.left, n.right].map((end) => (end ? e.evaluate(node(end)) : null))
  const unknown = [from, to].find((value) => value instanceof Unknown)
  return unknown ?? new RubyRange(from!, to!, n.isExcludeEnd())
})
on(nodes.ParenthesesNode, (e, n) =>
  n.body instanceof nodes.StatementsNode
    ? e.all(list(n.body.body))
    : n.body
      ? e.evaluate(node(n.body))
      : null,
)
on(nodes.StatementsNode, (e, n) => e.all(list(n.body)))
on(nodes.RegularExpressionNode, (_, n) => new RubyRegexp(n.unescaped.value, n.isIgnoreCase()))
on(nodes.LambdaNode, (e, n) => new RubyProc(e.place(node(n))))
on(nodes.SourceFileNode, (e) => e.local('?file'))
on(nodes.SourceLineNode, (e, n) => e.source.fault(n.location, '').line)

on(nodes.LocalVariableReadNode, (e, n) => e.local(n.name))
on(nodes.LocalVariableWriteNode, (e, n) => e.assign(n.name, e.evaluate(node(n.value))))
on(nodes.InstanceVariableReadNode, (e, n) => e.local(n.name))
on(nodes.InstanceVariableWriteNode, (e, n) => e.assign(n.name, e.evaluate(node(n.value))))
on(nodes.LocalVariableOrWriteNode, (e, n) => {
  const value = e.local(n.name)
  return value === null || value === false ? e.assign(n.name, e.evaluate(node(n.value))) : value
})
on(nodes.LocalVariableOperatorWriteNode, (e, n) => {
  const self = e.local(n.name)
  const other = e.evaluate(node(n.value))
  const unknown = [self, other].find((value) => value instanceof Unknown)
  if (unknown !== undefined) return e.assign(n.name, unknown)
  const result = callOn(self, n.binaryOperator, [other])
  return e.assign(n.name, result === undefined ? e.outside(node(n)) : e.made(result))
})
on(nodes.MultiWriteNode, (e, n) => {
  const targets = list(n.lefts)
  const value = e.evaluate(node(n.value))
  if (value instanceof Unknown || n.rest || n.rights.length || !Array.isArray(value))
    return e.outside(node(n))
  if (!targets.every((target) => target instanceof nodes.LocalVariableTargetNode)) return e.outside(node(n))
  targets.forEach((target, index) => {
    e.assign((target as unknown as nodes.LocalVariableTargetNode).name, value[index] ?? null)
  })
  return value
})
on(nodes.ConstantWriteNode, (e, n) => {
  const value = e.evaluate(node(n.value))
  e.world.constants.set(n.name, value)
  return value
})
const readConstant = (e: Evaluator, n: Node) => {
  const value = e.constant(n)
  if (value !== undefined) return value
  const missing = e.world.constants.get('?')
  if (missing instanceof Unknown) return missing // of a file that could not be read
  return e.fault(n, `${e.source.excerpt(n.location)} is not assigned in any file of this definition`)
}
on(nodes.ConstantReadNode, (e, n) => readConstant(e, node(n)))
on(nodes.ConstantPathNode, (e, n) => readConstant(e, node(n)))
on(nodes.CallNode, (e, n) => e.call(n))
on(nodes.OrNode, (e, n) => {
  const left = e.evaluate(node(n.left))
  return left === null || left === false ? e.evaluate(node(n.right)) : left
})
on(nodes.AndNode, (e, n) => {
  const left = e.evaluate(node(n.left))
  return left === null || left === false || left instanceof Unknown ? left : e.evaluate(node(n.right))
})
on(nodes.IfNode, (e, n) => {
  const holds = e.condition(node(n), node(n.predicate))
  if (holds instanceof Unknown) return holds
  if (holds) return n.statements ? e.evaluate(node(n.statements)) : null
  return n.subsequent ? e.evaluate(node(n.subsequent)) : null
})
on(nodes.UnlessNode, (e, n) => {
  const holds = e.condition(node(n), node(n.predicate))
  if (holds instanceof Unknown) return holds
  if (!holds) return n.statements ? e.evaluate(node(n.statements)) : null
  return n.elseClause ? e.evaluate(node(n.elseClause)) : null
})
on(nodes.ElseNode, (e, n) => (n.statements ? e.evaluate(node(n.statements)) : null))
