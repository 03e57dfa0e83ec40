import type { ChefEvent, ChefException } from './events.ts'

/** What one convergence did. Subresources count as part of theirs. */
export interface ChefReport {
  chef: string
  resources: number
  updated: number
  upToDate: number
  skipped: number
  failed: number
  /** `package[nginx] install (web::default)`. */
  updatedResources: string[]
  slowest: { resource: string; recipe: string; milliseconds: number }[]
  deprecations: string[]
}

/** The report of a sensitive step: how many, and nothing by name. */
export function countsOf(report: ChefReport): ChefReport {
  return { ...report, updatedResources: [], slowest: [], deprecations: [] }
}

export type ChefFailure = { resource?: string; action?: string; line?: string; file?: string } & ChefException

const SLOWEST = 10

/** Collects a report from Chef's events. */
export class ChefReporter {
  readonly report: ChefReport = {
    chef: '',
    resources: 0,
    updated: 0,
    upToDate: 0,
    skipped: 0,
    failed: 0,
    updatedResources: [],
    slowest: [],
    deprecations: [],
  }
  /** The first thing that went wrong, and what ended the run. */
  failure: ChefFailure | undefined
  completed = false

  take(event: ChefEvent): void {
    const { report } = this
    switch (event.event) {
      case 'run':
        report.chef = event.chef
        return
      case 'end': {
        if (event.depth > 0 || event.action === 'nothing') return
        report.resources++
        const count = {
          updated: 'updated',
          'up-to-date': 'upToDate',
          skipped: 'skipped',
          failed: 'failed',
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
      case 'failure':
      case 'run-failed': {
        const { event: _, ...failure } = event
        this.failure ??= failure
        return
      }
      case 'run-completed':
        this.completed = true
        return
      default:
    }
  }
}
