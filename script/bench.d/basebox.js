import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { definitionsRead } from './basebox-read.js'
import { figure, table, timed } from './figures.js'

// The same kind of machine three ways, each from what is on this computer already: made from the mirror by us; installed
// by a VeeWee definition with the tests' own installer (which only unpacks a system, so it is quicker than Debian's);
// and by debootstrap and mke2fs, as a user would by hand.
const folder = mkdtempSync('/var/tmp/appliance-bench-')
const appliance = (directory, ...args) =>
  timed(process.execPath, ['dist/cli/index.js', ...args, '--working-directory', directory])

/** Makes the base machine; the seconds are without the tools root, which is made once for all. */
function stage(directory, spec) {
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'appliance.yml'), spec)
  appliance(directory, 'mirror-deps')
  appliance(directory, 'veewee-basebox')
  const made = join(directory, 'build/veewee-basebox')
  const { milliseconds, parts } = JSON.parse(readFileSync(join(made, 'timings.json'), 'utf8'))
  const seconds = (milliseconds - (parts['tools root'] ?? 0)) / 1000
  return { seconds, bytes: statSync(join(made, 'basebox.qcow2')).size }
}

function bootstrapped() {
  const directory = join(folder, 'bootstrapped')
  const spec = `name: bench
version: 1.0.0
mirror:
  deb: [{ name: debian, uri: https://deb.debian.org/debian, suites: [bookworm] }]
basebox: { disk: 3 GiB, boxes: [], bootstrap: { suite: bookworm } }
`
  return { ...stage(directory, spec), directory }
}

function installed() {
  const make = `const { installer } = await import(${JSON.stringify(resolve('test/fixtures/installer/make.ts'))}); console.log((await installer()).iso)`
  const node = resolve('node_modules/node/bin/node')
  const made = timed(node, ['--no-warnings', '--input-type=module', '-e', make], { cwd: folder })
  const iso = made.stdout.trim().split('\n').at(-1)
  const directory = join(folder, 'installed')
  cpSync('test/fixtures/veewee', directory, { recursive: true })
  const spec = readFileSync(join(directory, 'appliance.yml'), 'utf8')
  return stage(
    directory,
    spec.replaceAll('INSTALLER', dirname(iso)).replace('boxes: [libvirt, virtualbox]', 'boxes: []'),
  )
}

/** What a person does who has no tool for it: the packages of ours, from our mirror, and an image of what comes out. */
function byHand(mirrored) {
  const tree = join(mirrored, 'build/mirror-deps/tree/deb')
  const { deb } = JSON.parse(readFileSync(join(mirrored, 'appliance.lock.json'), 'utf8'))
  const packages = deb.flatMap((repository) => repository.packages.map(({ name }) => name))
  const [root, raw, image] = ['root', 'disk.raw', 'disk.qcow2'].map((name) => join(folder, name))
  const arguments_ = [
    '--variant=minbase',
    `--keyring=${join(tree, 'appliance-mirror.gpg')}`,
    `--include=${packages.join(',')}`,
    'appliance',
    root,
    `file://${join(tree, 'debian')}`,
    '/usr/share/debootstrap/scripts/bookworm', // the suite's name is the mirror's own
  ]
  const steps = [
    ['debootstrap', arguments_],
    ['truncate', ['-s', '3G', raw]],
    ['mke2fs', ['-q', '-F', '-t', 'ext4', '-d', root, raw]],
    ['qemu-img', ['convert', '-q', '-O', 'qcow2', raw, image]],
  ]
  const seconds = steps.reduce((sum, [program, args]) => sum + timed(program, args).seconds, 0)
  return { seconds, bytes: statSync(image).size }
}

try {
  const ours = bootstrapped()
  const hand = byHand(ours.directory)
  const installer = installed()
  const row = (what, { seconds, bytes }) => [
    what,
    seconds.toFixed(0),
    (bytes / 1e6).toFixed(0),
    (seconds / ours.seconds).toFixed(1),
  ]
  table([
    ['a minimal machine', 'seconds', 'MB', 'times ours'],
    row('from the mirror, by us: boots by BIOS and UEFI', ours),
    row('debootstrap, mke2fs, qemu-img by hand: boots not yet', hand),
    row('a VeeWee definition, the tests’ installer', installer),
  ])
  figure('basebox.bootstrap-vs-installer', installer.seconds / ours.seconds, 'x', '≥ 5')
  figure('basebox.bootstrap-vs-debootstrap', hand.seconds / ours.seconds, 'x', '≥ 1')
} finally {
  rmSync(folder, { recursive: true, force: true })
}
await definitionsRead()
