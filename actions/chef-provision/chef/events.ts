import { EVENT_MARK } from './events-handler.ts'

/** What our handler in Chef tells (see events-handler.ts). */
export type ChefEvent =
  | { event: 'run'; chef: string }
  | { event: 'begin'; depth: number; resource: string; action: string; recipe: string; notifier?: string }
  | {
      event: 'end'
      depth: number
      resource: string
      action: string
      recipe: string
      /** ignored: it failed, and the recipe says that it may. */
      state: 'updated' | 'up-to-date' | 'skipped' | 'failed' | 'ignored'
      seconds: number
    }
  | { event: 'output'; depth: number; text: string }
  | { event: 'retry'; depth: number; left: number; resource: string; message: string }
  | ({
      event: 'failure'
      resource?: string
      action?: string
      line?: string
      file?: string
      /** Of a resource. */
      depth?: number
      /** The recipe says that it may fail (`ignore_failure`). */
      ignored?: true
    } & ChefException)
  | ({ event: 'run-failed' } & ChefException)
  | { event: 'deprecation'; text: string }
  | { event: 'run-completed' }

export interface ChefException {
  /** Class. */
  error: string
  message: string
  /** `file:line:in 'method'`, those of cookbooks only, the innermost first. */
  trace: string[]
}

/** Takes Chef's standard output apart, as it comes: our handler's events, and what was printed besides. */
export class ChefStream {
  #rest = ''
  readonly #onEvent: (event: ChefEvent) => void
  readonly #onText: (text: string) => void

  constructor(onEvent: (event: ChefEvent) => void, onText: (text: string) => void) {
    this.#onEvent = onEvent
    this.#onText = onText
  }

  add(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop()!
    for (const line of lines) this.#line(line)
  }

  /** An event that was cut off, as Chef was, is no text for people. */
  end(): void {
    const [line] = this.#rest.split(EVENT_MARK)
    if (line) this.#line(line)
    this.#rest = ''
  }

  #line(line: string): void {
    // Something may have printed half a line before.
    const at = line.indexOf(EVENT_MARK)
    const printed = at < 0 ? line : line.slice(0, at)
    if (printed.trim()) this.#onText(`${printed}\n`)
    if (at < 0) return
    const json = line.slice(at + EVENT_MARK.length)
    try {
      this.#onEvent(JSON.parse(json) as ChefEvent)
    } catch {
      this.#onText(`${json}\n`)
    }
  }
}
