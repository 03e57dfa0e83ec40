import type { ChefEvent } from './events.ts'
import { messageLines } from './report.ts'

/**
 * Chef's events as a tree for people, as they happen: recipe → resource → subresource, with seconds. A resource is
 * shown when it is over; one with something to show within it, when that comes.
 *
 * ```
 * license_server::web
 *   cookbook_file[/etc/nginx/sites-available/license-server] create: updated, 0.2 s
 *   service[nginx] enable: up to date
 * ```
 */
export class ChefTree {
  readonly #show: (text: string) => void
  #recipe = ''
  /** Titles of the open resources; undefined once shown. */
  readonly #open: (string | undefined)[] = []
  /** What Chef is at: the innermost of them, `execute[make] run`; undefined between two. */
  at: string | undefined

  constructor(show: (text: string) => void) {
    this.#show = show
  }

  take(event: ChefEvent): void {
    for (const [indent, text] of this.#said(event)) this.#show(`${'  '.repeat(indent)}${text}\n`)
  }

  #said(event: ChefEvent): Line[] {
    switch (event.event) {
      case 'run':
        return [[0, `Chef ${event.chef}`]]
      case 'begin': {
        const notified = event.notifier ? ` (notified by ${event.notifier})` : ''
        this.#open.length = event.depth
        this.at = `${event.resource} ${event.action}${notified}`
        this.#open.push(this.at)
        if (event.depth > 0 || event.recipe === this.#recipe) return []
        this.#recipe = event.recipe
        return event.recipe ? [[0, event.recipe]] : []
      }
      case 'end': {
        const title = this.#open[event.depth]
        const above = this.#openAbove(event.depth)
        this.#open.length = Math.min(this.#open.length, event.depth)
        this.at = this.#open.at(-1)
        if (event.action === 'nothing') return []
        const took = event.seconds >= 0.05 ? `, ${event.seconds.toFixed(1)} s` : ''
        const state = `${event.state === 'ignored' ? 'failed, ignored' : event.state.replaceAll('-', ' ')}${took}`
        return title === undefined
          ? [[event.depth + 2, state]]
          : [...above, [event.depth + 1, `${title}: ${state}`]]
      }
      case 'output': {
        const lines = event.text.split('\n').filter((line) => line.trim())
        return [...this.#openAbove(event.depth), ...lines.map((line): Line => [event.depth + 1, line])]
      }
      case 'retry':
        return [
          ...this.#openAbove(event.depth),
          [event.depth + 1, `${event.message} (trying again, ${event.left} left)`],
        ]
      case 'deprecation':
        return [[1, `deprecated: ${event.text.split('\n')[0]}`]]
      case 'failure':
        if (!event.ignored) return []
        return [
          ...this.#openAbove((event.depth ?? 0) + 1),
          [
            (event.depth ?? 0) + 2,
            `warning: it failed, which the recipe ignores: ${event.error}: ${messageLines(event.message).slice(0, 3).join(' | ')}`,
          ],
        ]
      case 'run-failed':
      case 'run-completed':
        return []
    }
  }

  /** The resources within which something is shown, unless they have been. */
  #openAbove(depth: number): Line[] {
    return this.#open.slice(0, depth).flatMap((title, level): Line[] => {
      this.#open[level] = undefined
      return title === undefined ? [] : [[level + 1, title]]
    })
  }
}

type Line = [indent: number, text: string]
