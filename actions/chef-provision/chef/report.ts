import type { ChefEvent, ChefException } from './events.ts'

/** What one convergence did. Subresources count as part of theirs. */
export interface ChefReport {
  chef: string
  resources: number
  updated: number
  upToDate: number
  skipped: number
  failed: number
  /** What failed although the recipe lets it: `execute[probe] run: …`. Not in older layers. */
  ignored?: string[]
  /** `package[nginx] install (web::default)`. */
  updatedResources: string[]
  slowest: { resource: string; recipe: string; milliseconds: number }[]
  deprecations: string[]
}

/** The report of a sensitive step: how many, and nothing by name. */
export function countsOf(report: ChefReport): ChefReport {
  return { ...report, ignored: [], updatedResources: [], slowest: [], deprecations: [] }
}

export type ChefFailure = { resource?: string; action?: string; line?: string; file?: string } & ChefException

const SLOWEST = 10

/** `execute[probe] run: Mixlib::ShellOut::ShellCommandFailed: …`, in one line. */
export function ignoredWords({ resource, action, error, message }: ChefFailure): string {
  return `${resource} ${action}: ${error}: ${messageLines(message).slice(0, 3).join(' | ').slice(0, 400)}`
}

/** An exception's lines without those that tell nothing: the frame of Mixlib's report of a failed command. */
export function messageLines(message: string): string[] {
  return message
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line && !/^-{2,}|^Begin output of|^End output of|^Expected process to exit/.test(line))
}

/** Collects a report from Chef's events. */
export class ChefReporter {
  readonly report: ChefReport = {
    chef: '',
    resources: 0,
    updated: 0,
    upToDate: 0,
    skipped: 0,
    failed: 0,
    ignored: [],
    updatedResources: [],
    slowest: [],
    deprecations: [],
  }
  completed = false
  /** Failures that nobody has ignored so far. */
  readonly #failures: ChefFailure[] = []
  /** How many of them there were when each of the open resources began. */
  readonly #before: number[] = []
  #end: ChefFailure | undefined

  /** What ended the run: of what failed within it the one whose words Chef ends with, the first where none is. */
  get failure(): ChefFailure | undefined {
    const last = this.#end?.message ?? ''
    // Chef puts a resource's name before its exception's words, and either may have been shortened.
    return (
      this.#failures.find(({ message }) => last.includes(message.slice(-200))) ??
      this.#failures[0] ??
      this.#end
    )
  }

  take(event: ChefEvent): void {
    const { report } = this
    switch (event.event) {
      case 'run':
        report.chef = event.chef
        return
      case 'begin':
        this.#before[event.depth] = this.#failures.length
        return
      case 'end': {
        if (event.depth > 0 || event.action === 'nothing') return
        report.resources++
        const count = {
          updated: 'updated',
          'up-to-date': 'upToDate',
          skipped: 'skipped',
          failed: 'failed',
          ignored: 'failed',
        } as const
        report[count[event.state]]++
        const resource = `${event.resource} ${event.action}`
        if (event.state === 'updated') report.updatedResources.push(`${resource} (${event.recipe})`)
        report.slowest.push({
          resource,
          recipe: event.recipe,
          milliseconds: Math.round(event.seconds * 1000),
        })
        report.slowest.sort((a, b) => b.milliseconds - a.milliseconds)
        report.slowest.length = Math.min(report.slowest.length, SLOWEST)
        return
      }
      case 'deprecation':
        if (!report.deprecations.includes(event.text)) report.deprecations.push(event.text)
        return
      case 'failure': {
        const { event: _, depth = 0, ignored, ...failure } = event
        if (!ignored) {
          this.#failures.push(failure)
          return
        }
        // With what failed within it.
        this.#failures.length = Math.min(this.#failures.length, this.#before[depth] ?? 0)
        report.ignored!.push(ignoredWords(failure))
        return
      }
      case 'run-failed': {
        const { event: _, ...failure } = event
        this.#end = failure
        return
      }
      case 'run-completed':
        this.completed = true
        return
      default:
    }
  }
}
