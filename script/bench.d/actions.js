import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { figure, median, table, timed } from './figures.js'

// As the runner starts it: the committed bundle under Node 24 (a development dependency).
const start = () => timed('node_modules/.bin/node', ['dist/cli/index.js', 'help']).seconds * 1000
start()
const times = Array.from({ length: 9 }, start)
const bytes = readdirSync('dist', { recursive: true })
  .map((path) => statSync(join('dist', path)))
  .reduce((sum, status) => sum + (status.isFile() ? status.size : 0), 0)
table([
  ['what', 'least', 'median', 'most'],
  ['start-up, ms', Math.min(...times).toFixed(0), median(times).toFixed(0), Math.max(...times).toFixed(0)],
])
figure('actions.start-up', median(times), 'ms', '≤ 300')
figure('actions.bundle-size', bytes / 1e6, 'MB', '≤ 8')
