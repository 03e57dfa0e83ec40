import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { figure, table, timed } from './figures.js'

// Cold: an empty build folder. What was downloaded before is taken from ~/.cache/appliance, by digest; with
// APPLIANCE_CACHE=off everything is downloaded again. Nobody else makes this, so there is nobody to compare with.
const source = resolve('examples/license-server')
const folder = mkdtempSync('/var/tmp/appliance-bench-')
cpSync(source, folder, { recursive: true, filter: (path) => path !== join(source, 'build') })
const build = () =>
  timed(process.execPath, ['dist/cli/index.js', 'build', '--renew-lock', '--working-directory', folder])
try {
  const cold = build()
  const again = build()
  const timings = readdirSync(join(folder, 'build'), { recursive: true })
    .filter((path) => path.endsWith('timings.json'))
    .map((path) => [
      path.replace('/timings.json', ''),
      JSON.parse(readFileSync(join(folder, 'build', path), 'utf8')),
    ])
  const rows = timings.map(([stage, { milliseconds, peakMemory }]) => [
    stage,
    (milliseconds / 1000).toFixed(0),
    (peakMemory / 1e6).toFixed(0),
  ])
  table([
    ['stage', 'seconds', 'peak MB'],
    ...rows,
    ['all, cold', cold.seconds.toFixed(0), ''],
    ['all, up to date', again.seconds.toFixed(1), ''],
  ])
  figure('build.cold', cold.seconds, 's', '≤ 1200')
  figure('build.up-to-date', again.seconds, 's', '≤ 2')
  figure('build.peak-rss', Math.max(...timings.map(([, { peakMemory }]) => peakMemory / 1e6)), 'MB', '≤ 300')
} finally {
  rmSync(folder, { recursive: true, force: true })
}
