import { existsSync } from 'node:fs'
import { figure, median, table, timed } from './figures.js'

// The example as script/test e2e has built it, or script/build.
const project = ['build/e2e/license-server', 'examples/license-server'].find((folder) =>
  existsSync(`${folder}/build/chef-provision/stage.json`),
)
if (!project) {
  console.error('the example is not built: run script/build first')
  process.exit(1)
}
const { stdout } = timed('node_modules/node/bin/node', [
  '--no-warnings',
  'script/bench.d/validate-once.ts',
  process.env.APPLIANCE_BENCH_PROJECT ?? project,
])
const { rollback, scenarios, reboot, boot } = JSON.parse(stdout.trim().split('\n').at(-1))
const [back, one] = [median(rollback), median(scenarios)]
table([
  ['a pristine machine for a test', 'by', 'seconds'],
  ['rolled back, running', 'vm-validate (savevm/loadvm)', back.toFixed(2)],
  ['restarted', 'systemctl reboot', reboot.toFixed(1)],
  ['booted from a fresh overlay, first boot and all', 'QEMU', boot.toFixed(1)],
])
table([
  ['scenarios a minute', 'number'],
  ['on the machine that is rolled back', (60 / one).toFixed(1)],
  ['on one booted for each', (60 / (one - back + boot)).toFixed(1)],
])
figure('validate.rollback', back, 's', '≤ 1')
figure('validate.rollback-vs-reboot', reboot / back, 'x', '≥ 20')
figure('validate.scenarios-vs-boot-each', (one - back + boot) / one, 'x', '≥ 5')
console.log('not measured: vagrant snapshot restore and virsh snapshot-revert (they need libvirtd)')
