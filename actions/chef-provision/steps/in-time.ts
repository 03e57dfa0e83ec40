import { ApplianceError } from '../../lib/errors/error.ts'
import type { StepSettings } from '../../lib/spec/step.ts'
import { formatDuration } from '../../lib/units/duration.ts'

/**
 * Does what a step does within the time it may take.
 *
 * @param doIt has to end when the signal that it gets says so
 * @throws ApplianceError `timeout`
 */
export async function inTime<T>(
  { title, timeout }: StepSettings & { title: string },
  signal: AbortSignal,
  doIt: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (timeout === undefined) return await doIt(signal)
  // Not AbortSignal.timeout(): Node 20 may lose one that only AbortSignal.any() holds (nodejs/node#57736).
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), timeout)
  try {
    return await doIt(AbortSignal.any([signal, late.signal]))
  } catch (error) {
    if (signal.aborted || !late.signal.aborted) throw error
    throw new ApplianceError('timeout', `${title} took longer than ${formatDuration(timeout)}`, {
      hint: 'Give it longer by timeout:, or see what it waits for.',
    })
  } finally {
    clearTimeout(timer)
  }
}
