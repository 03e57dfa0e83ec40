import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { figure, median, table, timed } from './figures.js'

// The disk is the example's own (script/build makes it), raw, as ova-pack has it after sealing. Three rounds in turn.
const base = resolve('examples/license-server/build/chef-provision/provisioned.qcow2')
if (!existsSync(base)) {
  console.error(`there is no ${base}: run script/build first`)
  process.exit(1)
}
const folder = mkdtempSync('/var/tmp/appliance-bench-')
const at = (name) => join(folder, name)
try {
  timed('node_modules/.bin/tsc', ['-p', 'tsconfig.bundle.json'])
  timed('qemu-img', ['convert', '-O', 'raw', base, at('disk.raw')])
  const ours = []
  const theirs = []
  let peak = 0
  for (let round = 0; round < 3; round++) {
    const packed = timed(process.execPath, ['script/bench.d/pack-once.js', at('disk.raw'), at('ours.ova')])
    ours.push(packed.seconds)
    peak = Math.max(peak, JSON.parse(packed.stdout).peakMemory)
    const convert = [
      'convert',
      '-O',
      'vmdk',
      '-o',
      'subformat=streamOptimized',
      at('disk.raw'),
      at('theirs.vmdk'),
    ]
    theirs.push(timed('qemu-img', convert).seconds)
  }
  const bytes = { ours: statSync(at('ours.ova')).size, theirs: statSync(at('theirs.vmdk')).size }
  table([
    ['an OVA of the example', 'seconds', 'MB'],
    ['ova-pack (OVA with digests)', median(ours).toFixed(1), (bytes.ours / 1e6).toFixed(0)],
    ['qemu-img (VMDK alone)', median(theirs).toFixed(1), (bytes.theirs / 1e6).toFixed(0)],
  ])
  figure('pack.speed-vs-qemu-img', median(theirs) / median(ours), 'x', '≥ 3')
  figure('pack.size-vs-qemu-img', bytes.ours / bytes.theirs, 'x', '≤ 1.02')
  figure('pack.peak-rss', peak / 1e6, 'MB', '≤ 300')
  console.log('not measured: pack.speed-vs-vmdk-convert (open-vmdk is not packaged for this Debian)')
} finally {
  rmSync(folder, { recursive: true, force: true })
}
