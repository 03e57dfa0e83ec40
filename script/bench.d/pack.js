import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { figure, timed } from './figures.js'
import { Contest } from './pack-contest.js'
import { wholeStage } from './pack-stage.js'

// script/bench pack [2|8|stage]: one part alone. The data is that of the example's own disk (script/build makes it; or
// APPLIANCE_BENCH_EXAMPLE names a folder that was built), again and again until it is 2 and 8 GB.
const [only] = process.argv.slice(2)
const example = resolve(process.env.APPLIANCE_BENCH_EXAMPLE ?? 'examples/license-server')
const disk = join(example, 'build/chef-provision/provisioned.qcow2')
if (!existsSync(disk)) {
  console.error(
    `there is no ${disk}: run script/build first, or name a built example in APPLIANCE_BENCH_EXAMPLE`,
  )
  process.exit(1)
}
const folder = mkdtempSync('/var/tmp/appliance-bench-')
try {
  timed('node_modules/.bin/tsc', ['-p', 'tsconfig.bundle.json'])
  const contest = new Contest(folder, disk)
  if (only === undefined || only === '2') await contest.small()
  if (only === undefined || only === '8') await contest.large()
  if (contest.peak > 0) figure('pack.peak-rss', contest.peak / 1e6, 'MB', '≤ 300')
  if (only === undefined || only === 'stage') wholeStage(folder, example, disk)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
