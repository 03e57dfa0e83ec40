/**
 * What GitHub's clients do, who take no signal. After an abort nobody waits for it: it goes on by itself until the
 * process ends, which it must not keep from ending (appliance/entry.ts).
 *
 * @throws the signal's reason
 */
export async function untilAborted<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  if (!signal) return await work()
  signal.throwIfAborted()
  let stop = () => {}
  const over = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([work(), over])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
