import { guestLines } from './guest-lines.ts'
import { type DoorLog, stacks } from './plain.ts'
import { secrets } from './secrets.ts'

/** One JSON object a line, for programs: `{"level":"info","group":["mirror-deps"],"message":"…"}`. */
export function jsonLog(options: { debug: boolean; out: (line: string) => void }): DoorLog {
  const hidden = secrets()
  const guest = guestLines()
  const groups: string[] = []
  const put = (level: string, fields: Record<string, unknown>) => {
    const place = groups.length > 0 ? { group: [...groups] } : {}
    options.out(
      JSON.stringify({ level, ...place, ...fields }, (_, value) =>
        typeof value === 'string' ? hidden.hide(value) : value,
      ),
    )
  }
  const guestSaid = (lines: string[]) => {
    for (const message of lines) put('guest', { message })
  }
  const say = (level: string, fields: Record<string, unknown>) => {
    guestSaid(guest.flush())
    put(level, fields)
  }
  return {
    info: (message) => say('info', { message }),
    warn: (message) => say('warning', { message }),
    debug: (message) => (options.debug ? say('debug', { message }) : undefined),
    async group(title, work) {
      groups.push(title)
      const began = performance.now()
      const close = (state: string) => {
        say('group', { state, milliseconds: Math.round(performance.now() - began) })
        groups.splice(groups.lastIndexOf(title), 1)
      }
      say('group', { state: 'begun' })
      try {
        const result = await work()
        close('done')
        return result
      } catch (error) {
        close('failed')
        throw error
      }
    },
    progress(title, total, unit) {
      let done = 0
      let tenths = 0
      return {
        add(amount) {
          done += amount
          const reached = total > 0 ? Math.floor((done / total) * 10) : 0
          if (reached > tenths) say('progress', { title, done, total, unit })
          tenths = Math.max(tenths, reached)
        },
        done() {},
      }
    },
    mask: (secret) => hidden.add(secret),
    guest: (text) => guestSaid(guest.push(text)),
    failure(error) {
      say('error', {
        code: error.code,
        message: error.message,
        ...(error.hint ? { hint: error.hint } : {}),
        ...(error.evidence.length > 0 ? { evidence: error.evidence } : {}),
        ...(error.faults.length > 0 ? { faults: error.faults } : {}),
        ...(options.debug ? { stacks: stacks(error) } : {}),
      })
    },
  }
}
