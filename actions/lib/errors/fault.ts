import { ApplianceError, type ErrorDetails } from './error.ts'

/** One thing wrong in what the user wrote. */
export interface Fault {
  /** The file, relative to the working directory, and where in it. */
  file?: string
  /** 1-based. */
  line?: number
  column?: number
  /** One line: what is wrong, with a suggestion where there is one. */
  message: string
}

/** All faults of the input at once. */
export class InputError extends ApplianceError {
  readonly faults: readonly Fault[]

  constructor(faults: readonly Fault[], details: ErrorDetails = {}) {
    super('input', faults.map(faultLine).join('\n'), details)
    this.name = 'InputError'
    this.faults = faults
  }
}

/** `appliance.yml:3:5: message`, the form editors and terminals make a link of. */
export function faultLine(fault: Fault): string {
  const place = [fault.file, fault.line, fault.column].filter((part) => part !== undefined).join(':')
  return place ? `${place}: ${fault.message}` : fault.message
}

/** Throws all faults in one error, if there are any. */
export function refuse(faults: readonly Fault[]): void {
  if (faults.length > 0) throw new InputError(faults)
}
