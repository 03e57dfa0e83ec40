/** The combinations of a matrix, in GitHub's order; one `undefined` for a job without. `exclude` is not known here. */
export function combinations(matrix: unknown): (Record<string, unknown> | undefined)[] {
  if (matrix === undefined || matrix === null) return [undefined]
  const { include = [], ...axes } = matrix as Record<string, unknown[]> & {
    include?: Record<string, unknown>[]
  }
  if ('exclude' in axes) throw new Error('this runner does not know exclude')
  let all: Record<string, unknown>[] = [{}]
  for (const [axis, values] of Object.entries(axes))
    all = all.flatMap((one) => values.map((value) => ({ ...one, [axis]: value })))
  if (Object.keys(axes).length === 0) return include
  const originals = all.map((one) => ({ ...one }))
  for (const extra of include as Record<string, unknown>[]) {
    const fits = originals.map((one) =>
      Object.keys(axes).every((axis) => !(axis in extra) || extra[axis] === one[axis]),
    )
    if (fits.some(Boolean)) all = all.map((one, index) => (fits[index] ? { ...one, ...extra } : one))
    else all.push(extra)
  }
  return all
}
