import type { Asked } from './asked.ts'
import { type BootCommandNote, parseBootCommand } from './boot-command.ts'
import type { BootSequence } from './recipe-types.ts'

/** What is typed at the installer's prompt. */
export function readBoot(asked: Asked, strategy: 'install' | 'bootstrap'): BootSequence {
  const wait = asked.number('boot_wait', 0, 0, 86_400, 'seconds')
  const sequence = asked.texts('boot_cmd_sequence') ?? []
  if (strategy === 'bootstrap') return { wait, sequence, keys: [] }
  if (typeof asked.value('boot_cmd_sequence') === 'string' && sequence.length)
    asked.warn('boot_cmd_sequence', 'boot_cmd_sequence is one string; VeeWee wanted an array of them')
  const command = parseBootCommand(sequence)
  // Points at the characters themselves, where the source has them as they are typed.
  const within = ({ element, offset, length }: BootCommandNote) =>
    sequence[element]!.slice(offset, offset + length)
  for (const note of command.faults) asked.fault('boot_cmd_sequence', note.message, within(note))
  for (const note of command.warnings) asked.warn('boot_cmd_sequence', note.message, within(note))
  return { wait, sequence, keys: command.actions }
}
