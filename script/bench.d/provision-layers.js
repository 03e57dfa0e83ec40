import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { figure, table, timed } from './figures.js'

/** The example, from its base machine on. A build of it that is there (the tests') is taken as it is. */
export function dropInAgainstCold() {
  const source = resolve('examples/license-server')
  const built = resolve('build/e2e/license-server/build')
  const folder = mkdtempSync('/var/tmp/appliance-bench-')
  cpSync(source, folder, { recursive: true, filter: (path) => path !== join(source, 'build') })
  const appliance = (...args) =>
    timed(process.execPath, ['dist/cli/index.js', ...args, '--working-directory', folder]).seconds
  const parts = () => {
    const { parts } = JSON.parse(readFileSync(join(folder, 'build/chef-provision/timings.json'), 'utf8'))
    return Object.entries(parts)
      .sort(([, a], [, b]) => b - a)
      .slice(0, 6)
      .map(([name, milliseconds]) => `${name} ${(milliseconds / 1000).toFixed(1)}`)
      .join(', ')
  }
  const measured = []
  const measure = (what, ...args) => {
    const seconds = appliance('chef-provision', ...args)
    measured.push([what, seconds.toFixed(1), parts()])
    return seconds
  }

  try {
    if (existsSync(join(built, 'veewee-basebox/stage.json')))
      timed('cp', [
        '-a',
        '--reflink=auto',
        '--sparse=always',
        built,
        resolve(built, '../appliance.lock.json'),
        folder,
      ])
    rmSync(join(folder, 'build/chef-provision'), { recursive: true, force: true })
    appliance('build', '--until', 'veewee-basebox', '--renew-lock')
    const cold = measure('cold, nothing kept', '--no-layers')
    const keeping = measure('cold, layers kept', '--force')
    const version = join(folder, 'app/VERSION')
    const dropIns = [1, 2, 3].map((n) => {
      writeFileSync(version, `1.4.0-bench${n}\n`)
      return measure(`a new version of the application (${n})`)
    })
    const dropIn = dropIns.sort((a, b) => a - b)[1]
    table([['what', 'seconds', 'of which, s'], ...measured])

    const layers = join(folder, 'build/chef-provision/layers')
    const rows = readdirSync(layers)
      .map((key) => {
        const { title, position } = JSON.parse(readFileSync(join(layers, key, 'layer.json'), 'utf8'))
        const taken = (name) => {
          const path = join(layers, key, name)
          return existsSync(path) ? (statSync(path).blocks * 512) / 1e6 : 0
        }
        return { position, title, disk: taken('disk.qcow2'), memory: taken('memory') }
      })
      .sort((a, b) => a.position - b.position)
    table([
      ['layer after', 'disk, MB', 'memory, MB'],
      ...rows.map(({ title, disk, memory }) => [title, disk.toFixed(0), memory.toFixed(0)]),
    ])
    figure('provision.drop-in-vs-cold', cold / dropIn, 'x', '≥ 10')
    figure('provision.layers-seconds', keeping - cold, 's', 'as few as possible')
    const bytes = rows.reduce((sum, { disk, memory }) => sum + disk + memory, 0)
    figure('provision.layers-size', bytes, 'MB', '≤ 20000')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
