import type { Rule } from './operation.ts'

export interface FirstBootUnit {
  /** Without `.service`. */
  name: string
  description: string
  /** The program that has to be there. */
  needs: string
  /** ConditionPathExists of systemd.unit(5); negated, so that it runs once. */
  condition: string
  before: string
  command: string
  /** The target that pulls it in. */
  wanted: string
  /** Installed only where this path exists. */
  where: string
}

/**
 * A unit that makes at first boot what must not be shipped, and its link into a target. It runs as soon as files
 * can be written, before everything that is ordered after `basic.target`. One that the basebox brought stays.
 */
export function firstBootUnit(unit: FirstBootUnit): Rule[] {
  const file = `${unit.name}.service`
  const content = `[Unit]
Description=${unit.description}
DefaultDependencies=no
ConditionPathExists=${unit.condition}
ConditionFileIsExecutable=${unit.needs}
After=local-fs.target systemd-tmpfiles-setup.service systemd-random-seed.service
Before=${unit.before} shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=${unit.command}

[Install]
WantedBy=${unit.wanted}
`
  return [
    {
      kind: 'write',
      path: `/usr/lib/systemd/system/${file}`,
      content,
      mode: 0o644,
      where: unit.where,
      unlessThere: true,
    },
    {
      kind: 'link',
      path: `/etc/systemd/system/${unit.wanted}.wants/${file}`,
      target: `/usr/lib/systemd/system/${file}`,
      where: unit.where,
    },
  ]
}
