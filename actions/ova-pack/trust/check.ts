/** One thing that was checked. */
export interface Check {
  title: string
  /** undefined: it is right; else what is wrong. */
  fault?: string
  /** Could not be checked, since it is not there. */
  absent?: true
  /** What a reader should know besides. */
  says?: string
}
