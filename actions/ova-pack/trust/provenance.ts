export interface ProvenanceFacts {
  name: string
  version: string
  /** What is vouched for: file name → SHA-256. */
  subjects: readonly { name: string; sha256: string }[]
  /** SHA-256 of what the spec says about packing, of the lock, of the disks before and after sealing. */
  spec: string
  lock: string | undefined
  provisioned: string
  disk: string
  validated: boolean
  /** Digest of each earlier stage's record, by its name. */
  stages: Readonly<Record<string, string>>
  tools: Readonly<Record<string, string>>
}

/**
 * How the appliance was made, as an in-toto statement with a SLSA predicate. It claims no SLSA level: that depends on
 * where it ran, and on who signs.
 *
 * @see https://in-toto.io/Statement/v1, https://slsa.dev/spec/v1.0/provenance
 */
export function provenance(facts: ProvenanceFacts): string {
  const { name, version, subjects, spec, lock, provisioned, disk, validated, stages, tools } = facts
  const digest = (sha256: string) => ({ digest: { sha256 } })
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: subjects.map((one) => ({ name: one.name, ...digest(one.sha256) })),
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: 'urn:appliance:ova-pack:1',
        externalParameters: { name, version, pack: digest(spec) },
        internalParameters: { validated, rawDisk: digest(disk) },
        resolvedDependencies: [
          ...(lock ? [{ name: 'appliance.lock.json', ...digest(lock) }] : []),
          { name: 'provisioned disk', ...digest(provisioned) },
          ...Object.entries(stages).map(([stage, sha256]) => ({
            name: `record of ${stage}`,
            ...digest(sha256),
          })),
        ],
      },
      runDetails: { builder: { id: 'urn:appliance', version: tools } },
    },
  }
  return `${JSON.stringify(statement, null, 2)}\n`
}
