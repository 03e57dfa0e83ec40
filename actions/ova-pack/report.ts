import type { Finding } from './lint/rule.ts'
import type { SealReport } from './seal.ts'
import type { Differences } from './trust/parts.ts'
import type { Permission } from './verdict.ts'

export interface PackReport {
  name: string
  version: string
  permission: Permission
  disk: {
    /** SHA-256 of the raw disk in the OVA: the appliance's primary identity. */
    sha256: string
    /** Bytes. */
    capacity: number
    /** SHA-256 of the provisioned disk it was made of. */
    provisioned: string
  }
  files: PackedFile[]
  seal: Omit<SealReport, 'installed'>
  /** Secrets of the spec that were not looked for, and why. */
  unsearched: string[]
  /** What the lint says of the OVA, that which was not ignored. */
  lint: Finding[]
  /** What the lock and the disk say differently. */
  differences: Differences
  /** SBOMs, provenance, digests, signature. */
  trust: PackedFile[]
  /** Program → version. */
  tools: Record<string, string>
}

export interface PackedFile {
  name: string
  /** Relative to the spec. */
  path: string
  bytes: number
  sha256: string
}

/** What was sealed and packed, for people. The same facts, every path among them, are in `report.json`. */
export function reportMarkdown(report: PackReport): string {
  const { name, version, permission, disk, files, seal, tools } = report
  return `# ${name} ${version}

${permission === 'validated' ? 'The disk has a passing verdict of vm-validate.' : '**This disk was packed without a passing verdict of vm-validate (`--unvalidated`).**'}

| file | bytes | SHA-256 |
|---|---:|---|
${files.map((file) => `| ${file.name} | ${file.bytes} | \`${file.sha256}\` |`).join('\n')}

Raw disk: ${disk.capacity / 2 ** 20} MiB, SHA-256 \`${disk.sha256}\`, made of the provisioned disk \`${disk.provisioned}\`.

## Sealed

Each operation was proved by reading the disk again.

| operation | why | changed |
|---|---|---:|
${seal.operations.map(({ name, reason, changed }) => `| ${name} | ${reason} | ${changed.length} |`).join('\n')}

${skippedSection(seal)}Free space of the root file system: ${Math.round(seal.free / 2 ** 20)} MiB, all zeros.
${seal.partitions.length > 0 ? `\n${seal.partitions.map((line) => `- ${line}\n`).join('')}` : ''}${loginsSection(seal)}${toleratedSection(seal)}${unsearchedSection(report)}${driversSection(seal)}${lintSection(report)}${trustSection(report)}
Packed with ${Object.entries(tools)
    .map(([tool, version]) => `${tool} ${version}`)
    .join(', ')}.
`
}

function skippedSection({ skipped }: PackReport['seal']): string {
  return skipped.length === 0 ? '' : `**Left out**, as \`pack.seal.skip\` says: ${skipped.join(', ')}.\n\n`
}

function lintSection({ lint, files }: PackReport): string {
  if (!files.some(({ name }) => name.endsWith('.ova'))) return ''
  if (lint.length === 0) return '\nThe lint finds nothing that a hypervisor would refuse or warn about.\n'
  const lines = lint.map(({ severity, rule, place, what }) => `- ${severity} \`${rule}\` ${place}: ${what}`)
  return `\n## Lint\n\n${lines.join('\n')}\n`
}

const MOST_DIFFERENCES = 20

function trustSection({ trust, differences: { notInstalled, notLocked } }: PackReport): string {
  const listed = (title: string, names: readonly string[]) => {
    if (names.length === 0) return ''
    const more = names.length > MOST_DIFFERENCES ? `, and ${names.length - MOST_DIFFERENCES} more` : ''
    return `\n${title} (${names.length}): ${names.slice(0, MOST_DIFFERENCES).join(', ')}${more}.\n`
  }
  return `
## To trust it

${trust.map(({ name, sha256 }) => `- ${name} \`${sha256}\``).join('\n')}

\`appliance verify FILE.ova\`, or as README.txt says with sha256sum and openssl alone.
${listed('In the lock and not on the disk', notInstalled)}${listed('**On the disk and not in the lock**', notLocked)}`
}

function toleratedSection({ tolerated }: PackReport['seal']): string {
  if (tolerated.length === 0) return ''
  const lines = new Set(
    tolerated.map(({ name, place, tolerated }) => `- ${name} in \`${place}\`: ${tolerated}`),
  )
  return `\nFound by the scan and left:\n\n${[...lines].join('\n')}\n`
}

function unsearchedSection({ unsearched }: PackReport): string {
  if (unsearched.length === 0) return ''
  return `\n**Not looked for on the disk:**\n\n${unsearched.map((one) => `- ${one}`).join('\n')}\n`
}

function loginsSection({ logins }: PackReport['seal']): string {
  const words = {
    password: { set: 'yes', empty: '**empty: everybody gets in**', none: 'no' },
    sudo: { no: 'no', password: 'asks for its password', nopasswd: '**without a password**' },
  }
  const rows = logins.map(({ account, password, keys, sudo, noShell }) => {
    const rights = account === 'root' ? '' : words.sudo[sudo]
    return `| ${account}${noShell ? ' (its shell lets nobody in)' : ''} | ${words.password[password]} | ${keys || 'no'} | ${rights} |`
  })
  return `
## Who can log in

As the sealed disk says; settings on import and scripts of first_boot may change it.

| account | password | SSH keys | sudo |
|---|---|---|---|
${rows.join('\n')}
`
}

function driversSection({ missingDrivers }: PackReport['seal']): string {
  if (missingDrivers.length === 0) return ''
  return `\n**The kernel lacks ${missingDrivers.join(', ')}: some hypervisors will not boot this appliance.**\n`
}
