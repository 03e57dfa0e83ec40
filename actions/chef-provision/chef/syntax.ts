import { join } from 'node:path'
import type { Fault } from '../../lib/errors/fault.ts'
import { followedTree } from '../../lib/files/followed.ts'
import type { StepOf } from '../../lib/spec/provision-step.ts'
import { notChefs } from '../../lib/spec/recipes.ts'
import type { ToolsRoot } from '../../lib/tools/tools.ts'

/**
 * What Ruby itself, the one that will run Chef, says about every Ruby file and template that the step hands over;
 * nothing in them is run. Before anything is booted.
 *
 * @param shown what a person knows a file by
 * @see https://docs.ruby-lang.org/en/3.3/RubyVM/InstructionSequence.html#method-c-compile
 */
export async function rubyFaults(
  tools: ToolsRoot,
  step: Pick<StepOf<'chef_solo'>, 'cookbooks' | 'policy' | 'roles' | 'environments'>,
  { shown, signal }: { shown: (file: string) => string; signal: AbortSignal },
): Promise<Fault[]> {
  const folders = [...step.cookbooks, step.policy, step.roles, step.environments].filter(
    (folder) => folder !== undefined,
  )
  const library = join(tools.directory, 'usr/lib/ruby')
  const binary = join(tools.directory, 'usr/lib/x86_64-linux-gnu/ruby')
  const libraries = [join(library, 'vendor_ruby'), join(library, '3.3.0'), join(binary, '3.3.0')].join(':')
  const named: string[] = []
  for (const folder of folders)
    for (const { path, kind } of await followedTree(folder))
      if (kind === 'file' && RUBY.test(path) && !notChefs.test(path)) named.push(join(folder, path))
  const { stdout } = await tools.run('ruby3.3', ['--disable-gems', '-W0', '-e', CHECK], {
    input: JSON.stringify([...new Set(named)].sort()),
    env: { RUBYLIB: libraries, RUBYOPT: undefined },
    signal,
  })
  return (JSON.parse(stdout) as RubyFault[]).map(({ file, line, message }) => ({
    file: shown(file),
    ...(line === null ? {} : { line }),
    message,
  }))
}

/** Neither hidden nor below a hidden folder: what a tool of the user's keeps there, Chef does not read. */
const RUBY = /^(?:[^./][^/]*\/)*[^./][^/]*\.(?:rb|erb)$/

interface RubyFault {
  file: string
  line: number | null
  message: string
}

/** Compiles, which runs nothing. A template's line numbers are those of its own lines. */
const CHECK = `
require 'json'
require 'erb'
faults = []
JSON.parse($stdin.read.force_encoding('UTF-8')).each do |file|
  source = File.read(file, encoding: 'UTF-8')
  begin
    source = ERB.new(source, trim_mode: '-').src if file.end_with?('.erb')
    RubyVM::InstructionSequence.compile(source, file, file)
  rescue SyntaxError, ArgumentError, EncodingError => e
    first = e.message.lines.map(&:strip).find { |line| line.start_with?(file + ':') } || e.message.lines.first.to_s.strip
    number = first[/\\A#{Regexp.escape(file)}:(\\d+):/, 1]
    what = first.sub(/\\A#{Regexp.escape(file)}:\\d+: /, '').sub(/\\Asyntax errors? found\\z/, 'syntax error')
    faults << { file: file, line: number&.to_i, message: what }
  end
end
puts JSON.generate(faults)
`
