import type { Property } from '../../lib/ovf/properties.ts'
import type { Operation, Rule } from '../generalise/operation.ts'
import { agent } from './agent.ts'
import { AGENT, AGENT_UNIT, agentUnit, DEFAULTS } from './agent-unit.ts'

/** Puts the agent into the guest, with the defaults of what the descriptor offers. */
export function settingsOperation(properties: readonly Property[]): Operation[] {
  if (properties.length === 0) return []
  const unit = `/usr/lib/systemd/system/${AGENT_UNIT}`
  const rules: Rule[] = [
    { kind: 'write', path: AGENT, content: agent, mode: 0o755 },
    { kind: 'write', path: unit, content: agentUnit, mode: 0o644 },
    { kind: 'link', path: `/etc/systemd/system/multi-user.target.wants/${AGENT_UNIT}`, target: unit },
    ...properties.map(({ key, default: value }): Rule => {
      return { kind: 'write', path: `${DEFAULTS}/${key}`, content: value, mode: 0o644 }
    }),
  ]
  return [
    {
      name: 'settings on import',
      reason:
        'What the customer says on import reaches the machine by an agent in it; without it nobody reads it.',
      rules: rules.map((rule) => ({ ...rule, where: '/usr/lib/systemd/system' })) as Rule[],
    },
  ]
}
