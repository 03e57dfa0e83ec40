import type { KeyAction } from '../console/console.ts'
import { chordNamed, chordOf, KEY_NAMES } from '../console/keys.ts'
import { nearest } from '../errors/nearest.ts'

/** What is typed, before it is known what `%IP%` and its like are. */
export type BootAction =
  | KeyAction
  /** Something that is known only when the machine runs: typed out by {@link fillIn}. */
  | { readonly kind: 'variable'; readonly name: Variable }

export type Variable = 'IP' | 'PORT' | 'NAME'

/** How long `<WaitFor:…>` without a number waits, in seconds. */
export const WAIT_FOR_SECONDS = 300

export interface BootCommandNote {
  /** Which string of the sequence, from 0, and the character in it, from 0. */
  element: number
  offset: number
  length: number
  message: string
}

export interface BootCommand {
  actions: BootAction[]
  /** Characters that no US keyboard types. */
  faults: BootCommandNote[]
  warnings: BootCommandNote[]
}

// `<WaitFor:grub>>`: the text may end in `>`, as prompts do.
const WAIT_FOR = /^<waitfor(\d*):([^\n]+?)>(?!>)/i
const WAIT = /^<wait(\d*)>/i
const VARIABLE = /^%(IP|PORT|NAME)%/
const BRACKETS = /^<([A-Za-z][A-Za-z0-9]{0,15})>/
/** Longer waits are slips of the pen. */
const MOST_SECONDS = 86_400

/**
 * What VeeWee's `boot_cmd_sequence` types: names in any case, `%IP%`, `%PORT%`, `%NAME%`, `<Wait>`, `<WaitN>`, and
 * beyond VeeWee `<WaitFor:text>` and `<WaitFor120:text>`. An unknown `<Name>` is typed as it stands, as VeeWee did.
 */
export function parseBootCommand(sequence: readonly string[]): BootCommand {
  const command: BootCommand = { actions: [], faults: [], warnings: [] }
  const unknown = new Set<string>()
  for (const [element, text] of sequence.entries()) {
    if (element > 0) command.actions.push({ kind: 'pause' })
    parseElement(text, element, command, unknown)
  }
  return command
}

function parseElement(
  text: string,
  element: number,
  { actions, faults, warnings }: BootCommand,
  /** Warned about already. */
  unknown: Set<string>,
): void {
  const strange: { offset: number; character: string }[] = []
  for (let offset = 0; offset < text.length; ) {
    const rest = text[offset] === '<' || text[offset] === '%' ? text.slice(offset, offset + 300) : ''
    const found = rest === '' ? undefined : special(rest)
    if (found) {
      actions.push(found.action)
      offset += found.length
      continue
    }
    const named = BRACKETS.exec(rest)
    const open = /^<waitfor\d*:/i.exec(rest)
    if (open && !unknown.has(open[0]))
      warnings.push({
        element,
        offset,
        length: open[0].length,
        message: `${open[0]}… has no > that ends it, and is typed as it stands`,
      })
    if (open) unknown.add(open[0])
    if (named && !unknown.has(named[1]!)) {
      unknown.add(named[1]!)
      warnings.push({ element, offset, length: named[0].length, message: unknownName(named[1]!) })
    }
    const character = String.fromCodePoint(text.codePointAt(offset)!)
    const chord = chordOf(character)
    if (chord) actions.push({ kind: 'press', chord, shown: character })
    else strange.push({ offset, character })
    offset += character.length
  }
  const [first] = strange
  if (!first) return
  const all = [...new Set(strange.map(({ character }) => JSON.stringify(character)))]
  const shown = all.length > 5 ? `${all.slice(0, 5).join(', ')} and ${all.length - 5} more` : all.join(', ')
  faults.push({
    element,
    offset: first.offset,
    length: first.character.length,
    message: `${shown} cannot be typed on a US keyboard, which is what an installer expects`,
  })
}

function special(rest: string): { action: BootAction; length: number } | undefined {
  const variable = VARIABLE.exec(rest)
  if (variable)
    return { action: { kind: 'variable', name: variable[1] as Variable }, length: variable[0].length }
  const waitFor = WAIT_FOR.exec(rest)
  if (waitFor)
    return {
      action: { kind: 'wait-for', text: waitFor[2]!, seconds: seconds(waitFor[1]!, WAIT_FOR_SECONDS) },
      length: waitFor[0].length,
    }
  const wait = WAIT.exec(rest)
  if (wait) return { action: { kind: 'wait', seconds: seconds(wait[1]!, 1) }, length: wait[0].length }
  const name = BRACKETS.exec(rest)
  const chord = name && chordNamed(name[1]!)
  return chord ? { action: { kind: 'press', chord, shown: name[0] }, length: name[0].length } : undefined
}

function seconds(digits: string, otherwise: number): number {
  return digits === '' ? otherwise : Math.min(Number(digits), MOST_SECONDS)
}

function unknownName(name: string): string {
  const known = nearest(name, KEY_NAMES)
  const hint =
    name.toLowerCase() === 'waitfor' ? '; <WaitFor:text> waits for a text' : known ? `; <${known}>?` : ''
  return `<${name}> is no key and is typed as it stands, as VeeWee did${hint}`
}

/** The actions with `%IP%`, `%PORT%` and `%NAME%` typed out. Characters that cannot be typed are left out. */
export function fillIn(
  actions: readonly BootAction[],
  values: Readonly<Record<Variable, string>>,
): KeyAction[] {
  return actions.flatMap((action) =>
    action.kind === 'variable'
      ? [...values[action.name]].flatMap((character): KeyAction[] => {
          const chord = chordOf(character)
          return chord ? [{ kind: 'press', chord, shown: character }] : []
        })
      : [action],
  )
}
