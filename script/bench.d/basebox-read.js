import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { figure, median, table, timed } from './figures.js'

const FIXTURES = 'test/fixtures/definitions'
const ROUNDS = 5

/**
 * How many definitions a second are read, files and all, against Ruby running the same ones as VeeWee did. A part of
 * `script/bench basebox`; alone: `script/bench basebox-read`.
 */
export async function definitionsRead() {
  timed('node_modules/.bin/tsc', ['-p', 'tsconfig.bundle.json', '--outDir', 'build/js'])
  const path = 'build/js/actions/lib/definition/definition.js'
  const { readDefinition } = await import(pathToFileURL(path).href)
  const folders = readdirSync(join(FIXTURES, 'read'), { recursive: true })
    .filter((file) => file.endsWith('definition.rb'))
    .map((file) => join('read', dirname(file)))
  const round = () => {
    const began = performance.now()
    for (const folder of folders) {
      const { faults } = readDefinition(folder, { workingDirectory: FIXTURES })
      if (faults.length) throw new Error(`${folder}: ${faults[0].message}`)
    }
    return (performance.now() - began) / 1000
  }
  const first = round()
  const seconds = median(Array.from({ length: ROUNDS }, round))
  const ruby = timed('ruby', ['-W0', 'veewee.rb', ...folders], {
    cwd: FIXTURES,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const row = (what, time) => [what, folders.length, time.toFixed(3), (folders.length / time).toFixed(0)]
  table([
    ['definitions', 'count', 'seconds', 'a second'],
    row('read by us, the first time', first),
    row('read by us', seconds),
    row('run by Ruby, in one process', ruby.seconds),
  ])
  figure('basebox.definitions-read', folders.length / seconds, '/s', '≥ 200')
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await definitionsRead()
