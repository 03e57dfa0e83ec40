import { file, flag, text } from '../lib/stage/input.ts'

export const inputs = {
  disk: file('disk', 'The disk to validate (default: the one that chef-provision made)'),
  ova: file(
    'OVA',
    'A packed OVA to validate instead: it is booted as its descriptor says, and must be sealed',
  ),
  tags: text(
    'Run only scenarios with one of these tags, separated by commas (default: all; of an OVA, smoke, and all for all)',
  ),
  scenario: text('Run only the scenario or suite of this name; several, one a line'),
  'keep-on-failure': flag(
    'Leave the machine as it is when something fails, for appliance vm, until it is stopped',
  ),
}
