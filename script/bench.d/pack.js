import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, statSync, truncateSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { figure, median, table, timed } from './figures.js'

// The disk is the example's own (script/build makes it), raw, as ova-pack has it after sealing; three rounds in turn.
// Reading the qcow2 counts for nobody: all read the same raw disk, from a warm cache.
const base =
  process.env.APPLIANCE_BENCH_DISK ??
  resolve('examples/license-server/build/chef-provision/provisioned.qcow2')
if (!existsSync(base)) {
  console.error(`there is no ${base}: run script/build first, or name a disk in APPLIANCE_BENCH_DISK`)
  process.exit(1)
}
const ROUNDS = 3
const folder = mkdtempSync('/var/tmp/appliance-bench-')
const at = (name) => join(folder, name)
try {
  timed('node_modules/.bin/tsc', ['-p', 'tsconfig.bundle.json'])
  timed('qemu-img', ['convert', '-O', 'raw', base, at('disk.raw')])
  const pack = (disk, ova, level) => {
    const packed = timed(process.execPath, ['script/bench.d/pack-once.js', disk, ova, String(level)])
    return { seconds: packed.seconds, peak: JSON.parse(packed.stdout).peakMemory }
  }
  const theirOptions = ['convert', '-O', 'vmdk', '-o', 'subformat=streamOptimized']
  const converter = vmdkConvert()
  const runs = { ours: [], theirs: [], converted: [] }
  let peak = 0
  for (let round = 0; round < ROUNDS; round++) {
    const packed = pack(at('disk.raw'), at('ours.ova'), 5)
    runs.ours.push(packed.seconds)
    peak = Math.max(peak, packed.peak)
    runs.theirs.push(timed('qemu-img', [...theirOptions, at('disk.raw'), at('theirs.vmdk')]).seconds)
    if (converter) runs.converted.push(timed(...converter(at('disk.raw'), at('converted.vmdk'))).seconds)
  }
  const level = (name, zlib) => {
    const { seconds } = pack(at('disk.raw'), at(`${name}.ova`), zlib)
    return [`ova-pack, level: ${name}`, seconds.toFixed(1), megabytes(at(`${name}.ova`))]
  }
  // The same data on a disk of 64 GB: only the holes are more.
  copySparse(at('disk.raw'), at('huge.raw'))
  truncateSync(at('huge.raw'), 64 * 2 ** 30)
  const huge = pack(at('huge.raw'), at('huge.ova'), 5)
  const qcow2 = timed(process.execPath, [
    'script/bench.d/pack-once.js',
    at('disk.raw'),
    at('ours.qcow2'),
    '5',
  ])
  const theirQcow2 = timed('qemu-img', ['convert', '-c', '-O', 'qcow2', at('disk.raw'), at('theirs.qcow2')])
  table([
    ['an OVA of the example', 'seconds', 'MB'],
    ['ova-pack (OVA with digests), level: normal', median(runs.ours).toFixed(1), megabytes(at('ours.ova'))],
    level('fast', 3),
    level('small', 9),
    ['ova-pack, the same data on 64 GB', huge.seconds.toFixed(1), megabytes(at('huge.ova'))],
    ['qemu-img (VMDK alone)', median(runs.theirs).toFixed(1), megabytes(at('theirs.vmdk'))],
    ...(converter
      ? [
          [
            'vmdk-convert -c 6 (VMDK alone)',
            median(runs.converted).toFixed(1),
            megabytes(at('converted.vmdk')),
          ],
        ]
      : []),
    ['ova-pack, qcow2', qcow2.seconds.toFixed(1), megabytes(at('ours.qcow2'))],
    ['qemu-img convert -c, qcow2', theirQcow2.seconds.toFixed(1), megabytes(at('theirs.qcow2'))],
  ])
  figure('pack.speed-vs-qemu-img', median(runs.theirs) / median(runs.ours), 'x', '≥ 3')
  if (converter)
    figure('pack.speed-vs-vmdk-convert', median(runs.converted) / median(runs.ours), 'x', '≥ 1.5')
  else console.log('not measured: pack.speed-vs-vmdk-convert (script/test import makes a root with it)')
  figure(
    'pack.size-vs-qemu-img',
    statSync(at('ours.ova')).size / statSync(at('theirs.vmdk')).size,
    'x',
    '≤ 1.02',
  )
  figure('pack.qcow2-speed-vs-qemu-img', theirQcow2.seconds / qcow2.seconds, 'x', '≥ 1.5')
  figure('pack.peak-rss', Math.max(peak, huge.peak) / 1e6, 'MB', '≤ 300')
  figure('pack.64-gb-disk-vs-its-data', huge.seconds / median(runs.ours), 'x', '≤ 1.2')
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function megabytes(path) {
  return (statSync(path).size / 1e6).toFixed(0)
}

function copySparse(from, to) {
  execFileSync('cp', ['--sparse=always', '--reflink=auto', from, to])
}

/** Its command line here: Debian 12 has none, so the one of the importers' root is run by its own loader. */
function vmdkConvert() {
  const root = join(homedir(), '.cache/appliance/test/importer-open-vmdk')
  const program = join(root, 'usr/bin/vmdk-convert')
  if (!existsSync(program)) return undefined
  const libraries = join(root, 'usr/lib/x86_64-linux-gnu')
  const loader = join(libraries, 'ld-linux-x86-64.so.2')
  return (from, to) => [loader, ['--library-path', libraries, program, '-c', '6', from, to]]
}
