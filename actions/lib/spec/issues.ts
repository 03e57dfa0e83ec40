import type { z } from 'zod'

/** One thing zod found, with the path it lies at. */
export interface FlatIssue {
  path: PropertyKey[]
  message: string
}

/**
 * zod's issues without their nesting: of a union that fits nowhere, those of the alternative that came furthest;
 * an unknown key at the key itself.
 */
export function flatIssues(
  issues: readonly z.core.$ZodIssue[],
  prefix: readonly PropertyKey[] = [],
): FlatIssue[] {
  return issues.flatMap((issue) => {
    const path = [...prefix, ...issue.path]
    if (issue.code === 'invalid_union' && issue.errors.length > 0)
      return flatIssues([...issue.errors].sort((a, b) => closeness(b) - closeness(a))[0]!, path)
    // zod has one issue for all unknown keys of a map; its message has a line for each (see section).
    if (issue.code === 'unrecognized_keys')
      return issue.message
        .split('\n')
        .map((message, index) => ({ path: [...path, issue.keys[index]!], message }))
    return [{ path, message: issue.message }]
  })
}

/** An alternative that only failed deep inside was meant; one of the wrong type at its top was not. */
function closeness(issues: readonly z.core.$ZodIssue[]): number {
  const deepest = Math.max(0, ...issues.map(({ path }) => path.length))
  const rightType = issues.every(({ code, path }) => code !== 'invalid_type' || path.length > 0)
  return deepest * 2 + (rightType ? 1 : 0)
}
