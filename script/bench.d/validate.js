import { existsSync } from 'node:fs'
import { figure, median, table, timed } from './figures.js'

// The example as script/test e2e has built it, or script/build.
const project =
  process.env.APPLIANCE_BENCH_PROJECT ??
  ['build/e2e/license-server', 'examples/license-server'].find((folder) =>
    existsSync(`${folder}/build/chef-provision/stage.json`),
  )
if (!project) {
  console.error('the example is not built: run script/build first')
  process.exit(1)
}
const measured = (program) => {
  const { stdout } = timed('node_modules/node/bin/node', ['--no-warnings', program, project])
  return JSON.parse(stdout.trim().split('\n').at(-1))
}
const { rollback, command, scenarios, reboot, boot } = measured('script/bench.d/validate-once.ts')
const [back, one] = [median(rollback), median(scenarios)]
const by = (seconds, what, who) =>
  seconds?.length ? [[what, who, median(seconds).toFixed(2), `${(median(seconds) / back).toFixed(1)} x`]] : []
table([
  ['a pristine machine for a test', 'by', 'seconds', 'ratio'],
  ['rolled back, running, its clock set', 'vm-validate (savevm/loadvm)', back.toFixed(2), '1 x'],
  ...by(command, 'the same, and a first command by SSH', 'vm-validate'),
  ...by([reboot], 'restarted', 'systemctl reboot'),
  ...by([boot], 'booted from a fresh overlay, first boot and all', 'QEMU'),
])
table([
  ['scenarios a minute', 'number'],
  ['on the machine that is rolled back', (60 / one).toFixed(1)],
  ['on one booted for each', (60 / (one - back + boot)).toFixed(1)],
])
figure('validate.rollback', back, 's', '≤ 1')
figure('validate.rollback-vs-reboot', reboot / back, 'x', '≥ 20')
figure('validate.scenarios-vs-boot-each', (one - back + boot) / one, 'x', '≥ 5')

// Last, and for itself: what it does not find, or cannot do, takes no figure away.
const others = measured('script/bench.d/validate-vagrant.ts')
if (others.why) console.log(`not measured: vagrant snapshot restore, virsh snapshot-revert: ${others.why}`)
else
  table([
    ['the same disk, by others', 'by', 'seconds', 'ratio'],
    ...by(others.driver, 'rolled back, clock set, logged in', 'vagrant snapshot restore (libvirt)'),
    ...by(others.revert, 'reverted, nobody logged in yet', 'virsh snapshot-revert'),
  ])
