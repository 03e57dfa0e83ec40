/** Who refuses or mishandles an OVA that breaks a rule; `ovf` is the standard, `everyone` the customer anywhere. */
export type Concerned = 'vmware' | 'virtualbox' | 'virt-v2v' | 'proxmox' | 'ovf' | 'everyone'

export type Severity = 'error' | 'warning' | 'note'

export interface Rule {
  severity: Severity
  concerns: readonly Concerned[]
  /** What is wrong, and what happens then. */
  what: string
  /** What to do, for whoever makes OVAs. */
  fix: string
}

export type Rules = Readonly<Record<string, Rule>>

export interface Finding {
  rule: string
  severity: Severity
  concerns: readonly Concerned[]
  /** Member and, where known, line or byte: `x.ovf:12`, `x.vmdk@65536`, `disk1:/etc/fstab`. */
  place: string
  what: string
  /** What was found there. */
  evidence: string
  fix: string
}

/** Takes what one area of the lint finds. */
export type Find<R extends Rules> = (rule: keyof R & string, place: string, evidence: string) => void
