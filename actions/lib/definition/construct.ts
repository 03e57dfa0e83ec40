import * as nodes from '@ruby/prism/src/nodes.js'

/** What a construct is called, and how to write its meaning instead. */
export interface Words {
  what: string
  how: string
}

const AS_VALUE = 'write the value itself'

// Two classes of a kind where Ruby has two spellings of it. By class, not by name: the bundle's names are shortened.
const WORDS: [readonly unknown[], string, string][] = [
  [
    [nodes.XStringNode, nodes.InterpolatedXStringNode],
    'a command in backticks',
    'write what it prints as a string',
  ],
  [
    [nodes.IfNode, nodes.UnlessNode],
    'a condition (if, unless or ?:)',
    'write the value for this machine, or make a second definition',
  ],
  [
    [nodes.CaseNode, nodes.CaseMatchNode],
    'a case',
    'write the value for this machine, or make a second definition',
  ],
  [[nodes.WhileNode, nodes.UntilNode, nodes.ForNode], 'a loop', "write the list out, or use 'x' * 3"],
  [[nodes.DefNode], 'a method', 'put what it gives into a local variable'],
  [[nodes.ClassNode, nodes.SingletonClassNode], 'a class', 'put its values into a hash'],
  [[nodes.ModuleNode], 'a module', 'put its values into a hash'],
  [[nodes.BeginNode, nodes.RescueModifierNode], 'a begin or rescue', 'write the value that comes out of it'],
  [
    [nodes.GlobalVariableReadNode, nodes.GlobalVariableWriteNode, nodes.BackReferenceReadNode],
    'a global variable',
    'use a local variable',
  ],
  [[nodes.ClassVariableReadNode, nodes.ClassVariableWriteNode], 'a class variable', 'use a local variable'],
  [
    [nodes.RegularExpressionNode, nodes.InterpolatedRegularExpressionNode, nodes.MatchWriteNode],
    'a regular expression',
    AS_VALUE,
  ],
  [[nodes.RationalNode, nodes.ImaginaryNode], 'a rational or complex number', 'write a plain number'],
  [[nodes.SelfNode], 'the object self', AS_VALUE],
  [[nodes.YieldNode, nodes.SuperNode, nodes.ForwardingSuperNode], 'a call of a block or of super', AS_VALUE],
  [[nodes.DefinedNode], 'a defined?', AS_VALUE],
  [[nodes.ReturnNode, nodes.NextNode, nodes.BreakNode], 'a jump', 'leave it out'],
  [[nodes.SplatNode, nodes.AssocSplatNode], 'a splat', 'write the items out'],
  [[nodes.MultiWriteNode], 'an assignment to several variables', 'assign them one by one'],
  [[nodes.AliasMethodNode, nodes.UndefNode], 'an alias or undef', 'leave it out'],
]

/** For a piece of syntax that is not in the subset (DESIGN §7). */
export function wordsFor(node: unknown): Words {
  for (const [classes, what, how] of WORDS)
    if (classes.includes((node as object).constructor)) return { what, how }
  return { what: 'this construct', how: AS_VALUE }
}

/** Classes and modules that definitions were seen to ask, and why the answer cannot be known. */
const ASKED: [RegExp, string, string][] = [
  [
    /^(Net::|URI\b|OpenURI|HTTParty|RestClient|Faraday|Mechanize|Nokogiri|TCPSocket|Socket)/,
    'a value from the network',
    'write the value itself: a definition must give the same machine on every day',
  ],
  [/^(Time|Date|DateTime)$/, 'the clock', 'write the date or time itself'],
  [
    /^(Random|SecureRandom)$/,
    'a random value',
    'write the value itself; what must differ from appliance to appliance is made by first_boot',
  ],
  [
    /^ENV$/,
    'the environment of the computer that builds',
    'write the value itself: two computers would build two machines (VEEWEE_MEMORY_SIZE and VEEWEE_CPU_COUNT alone are honoured)',
  ],
  [/^(Dir|Pathname|FileUtils|Find)$/, 'what lies in a folder', 'name the files one by one'],
  [
    /^(File|IO)$/,
    'another use of files than File.read and names',
    'write the value itself, or keep the file beside the definition',
  ],
  [/^ERB$/, 'a template', 'name the .erb file as kickstart_file; it is rendered when it is served'],
  [/^(Kernel|Process|Open3|Etc|RbConfig|Facter|Gem|Vagrant)\b/, 'the computer that builds', AS_VALUE],
]

export function isAsked(name: string): boolean {
  return name === 'Proc' || ASKED.some(([pattern]) => pattern.test(name))
}

/** For a call of a class or module that is not in the subset, e.g. `Net::HTTP.get`. */
export function wordsForConstant(name: string, method: string): Words {
  for (const [pattern, what, how] of ASKED) if (pattern.test(name)) return { what, how }
  return { what: `a call of ${name}.${method}`, how: AS_VALUE }
}

/** For a call without a receiver that is not in the subset. */
export function wordsForFunction(name: string): Words {
  if (name === 'system' || name === 'exec' || name === 'spawn')
    return { what: 'a call of a program', how: 'write what it gives as a value' }
  if (name === 'eval' || name === 'instance_eval' || name === 'send')
    return { what: 'Ruby in a string', how: 'write the Ruby itself' }
  if (name === 'open') return { what: 'an opened file or address', how: AS_VALUE }
  if (name === 'rand' || name === 'srand') return { what: 'a random value', how: AS_VALUE }
  if (name === 'raise' || name === 'abort' || name === 'exit')
    return { what: 'an end of the program', how: 'leave it out' }
  if (name === 'sleep') return { what: 'a wait', how: 'use boot_wait, or <Wait10> in boot_cmd_sequence' }
  if (name === 'loop') return { what: 'a loop', how: "write the list out, or use 'x' * 3" }
  return { what: `a call of ${name}`, how: 'write what it gives' }
}
