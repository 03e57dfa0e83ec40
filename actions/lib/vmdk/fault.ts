/** What can be wrong in a streamOptimized VMDK; the lint has a rule of each name. */
export type VmdkFaultKind =
  | 'vmdk-header'
  | 'vmdk-version'
  | 'vmdk-type'
  | 'vmdk-flags'
  | 'vmdk-text-mode'
  | 'vmdk-descriptor'
  | 'vmdk-content-id'
  | 'vmdk-extent'
  | 'vmdk-grain'
  | 'vmdk-order'
  | 'vmdk-table'
  | 'vmdk-directory'
  | 'vmdk-footer'
  | 'vmdk-end'
  | 'vmdk-slack'
  | 'vmdk-padding'

export interface VmdkFault {
  kind: VmdkFaultKind
  /** Byte in the file. */
  at: number
  evidence: string
}

/** Notes one; `at` is a byte of the file. */
export type NoteFault = (kind: VmdkFaultKind, at: number, evidence: string) => void
