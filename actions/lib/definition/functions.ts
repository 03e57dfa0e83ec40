import type * as nodes from '@ruby/prism/src/nodes.js'
import { callOn } from './calls.ts'
import type { Evaluator, Node } from './evaluate.ts'
import { RubyDefinition, RubyProc, type RubyValue, Unknown } from './value.ts'

export interface FunctionCall {
  evaluator: Evaluator
  node: nodes.CallNode
}

/** @returns `undefined` when it is not meant this way */
export type RubyFunction = (call: FunctionCall) => RubyValue | undefined

const block: RubyFunction = ({ evaluator, node }) =>
  node.block ? new RubyProc(evaluator.place(node as unknown as Node)) : undefined

/** Writes to the screen, to VeeWee; there is nothing to read in it. */
const silent: RubyFunction = ({ evaluator, node }) => {
  evaluator.warn(node as unknown as Node, `${node.name} writes nothing here: a definition is read, never run`)
  return null
}

/** Standard libraries may be required; by itself that changes nothing. Files of the definition are read. */
const require: RubyFunction = ({ evaluator, node }) => {
  const [path, ...rest] = evaluator.arguments(node)
  if (path instanceof Unknown) return path
  if (typeof path !== 'string' || rest.length) return undefined
  const relative = node.name === 'require_relative'
  if (!relative && !/^\.{0,2}\/|^[A-Za-z]:|\.rb$/.test(path)) return true
  const place = evaluator.place(node as unknown as Node)
  const from = relative ? (evaluator.local('?folder') as string | null) : null
  const trouble = evaluator.world.require(from ? `${from}/${path}` : path, place)
  if (trouble === undefined) return true
  const unknown = evaluator.fault(node as unknown as Node, `${path} ${trouble}`)
  evaluator.world.constants.set('?', unknown)
  evaluator.world.lost()
  return unknown
}

/** The functions and locals that definitions find without saying of whom. */
export const FUNCTIONS: Readonly<Record<string, RubyFunction>> = {
  name: ({ evaluator, node }) => (node.isVariableCall() ? evaluator.world.name : undefined),
  path: ({ evaluator, node }) => (node.isVariableCall() ? evaluator.world.path : undefined),
  definition: ({ node }) => (node.isVariableCall() ? new RubyDefinition() : undefined),
  veewee_definition: ({ node }) => (node.isVariableCall() ? new RubyDefinition() : undefined),
  __dir__: ({ evaluator }) => evaluator.local('?folder'),
  lambda: block,
  proc: block,
  puts: silent,
  print: silent,
  p: silent,
  pp: silent,
  warn: silent,
  require,
  require_relative: require,
  load: require,
  format: ({ evaluator, node }) => {
    const [pattern, ...values] = evaluator.arguments(node)
    const unknown = [pattern, ...values].find((value) => value instanceof Unknown)
    if (unknown !== undefined) return unknown
    return typeof pattern === 'string' ? callOn(pattern, '%', [values]) : undefined
  },
}
