import { ApplianceError, type ErrorDetails, type Fault } from './error.ts'

export type { Fault }

/** All faults of the input at once. */
export class InputError extends ApplianceError {
  /** What is no fault, but may be the cause of one. */
  readonly warnings: readonly Fault[]

  constructor(faults: readonly Fault[], details: ErrorDetails = {}, warnings: readonly Fault[] = []) {
    super('input', faults.map(showFault).join('\n'), { ...details, faults })
    this.name = 'InputError'
    this.warnings = warnings
  }
}

/** The faults with which something is refused; none where it is not. */
export function faultsIn(tried: () => unknown): readonly Fault[] {
  try {
    tried()
    return []
  } catch (error) {
    if (error instanceof InputError) return error.faults
    throw error
  }
}

/**
 * A fault for people: place and message, in the form editors and terminals make a link of; then, where it is known, the
 * line and carets under what is meant.
 *
 * ```
 * base/definition.rb:7:15: …
 *   7 |   :iso_md5 => `md5sum x.iso`,
 *     |               ^^^^^^^^^^^^^^
 * ```
 */
export function showFault(fault: Fault): string {
  const place = [fault.file, fault.line, fault.column].filter((part) => part !== undefined).join(':')
  const first = place ? `${place}: ${fault.message}` : fault.message
  if (!fault.source || fault.line === undefined || fault.column === undefined) return first
  const gutter = String(fault.line)
  const column = fault.column - (fault.from ?? 1) + 1
  // Tabs stay tabs, so that the carets stand where they should in any terminal.
  const indent = [...fault.source]
    .slice(0, column - 1)
    .map((character) => (character === '\t' ? '\t' : ' '))
    .join('')
  const room = Math.max(1, [...fault.source].length - column + 1)
  const carets = '^'.repeat(Math.min(fault.width ?? 1, room))
  const printable = fault.source.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, '·')
  return [first, `  ${gutter} | ${printable}`, `  ${' '.repeat(gutter.length)} | ${indent}${carets}`].join(
    '\n',
  )
}

/** Throws all faults in one error, if there are any. */
export function refuse(faults: readonly Fault[], warnings: readonly Fault[] = []): void {
  if (faults.length > 0) throw new InputError(faults, {}, warnings)
}
