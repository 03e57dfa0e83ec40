import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { figure, median, table, timed } from './figures.js'
import { apt, aptly, aptUpdate, copyOfDebian, packages } from './mirror-debian.js'
import { bundleCache, bundleLock, copyOfGems, gems } from './mirror-gems.js'
import { dnfDownload, repositoryOfRpms, top } from './mirror-rpms.js'

// Everything comes from web servers on the loopback: Debian's real packages and signatures from a copy that is kept in
// /var/tmp for the next time, so that the network decides nothing.
const folder = mkdtempSync('/var/tmp/appliance-bench-')
const at = (...names) => join(folder, ...names)
const servers = []
/** The best peer's seconds by ours, a number for each kind. */
const ratios = []

async function serve(directory) {
  mkdirSync(directory, { recursive: true })
  const server = spawn(process.execPath, ['script/bench.d/mirror-upstream.js', directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  servers.push(server)
  const [address] = await once(server.stdout, 'data')
  return String(address).trim()
}

function project(name, mirror) {
  mkdirSync(at(name))
  writeFileSync(at(name, 'appliance.yml'), `name: bench\nversion: 1.0.0\nmirror:\n${mirror}`)
  return at(name)
}

function appliance(directory, command, ...args) {
  const env = { ...process.env, APPLIANCE_CACHE: 'off' }
  return timed(process.execPath, ['dist/cli/index.js', command, ...args, '--working-directory', directory], {
    env,
  })
}

const peak = (directory) =>
  JSON.parse(readFileSync(join(directory, 'build/mirror-deps/timings.json'), 'utf8')).peakMemory
const hasProgram = (name) => timed('sh', ['-c', `command -v ${name} || true`]).stdout.trim() !== ''

/** The address of a Debian that lies here. */
async function debian() {
  const copy = '/var/tmp/appliance-bench-debian'
  const url = await serve(copy)
  copyOfDebian(copy, url)
  return url
}

const debs = (url, names) =>
  `  deb:\n    - { name: debian, uri: '${url}', suites: [bookworm], packages: [${names}] }\n`

async function firstFetch() {
  const url = await debian()
  const directory = project('debs', debs(url, packages))
  const locking = appliance(directory, 'lock').seconds
  const lock = JSON.parse(readFileSync(join(directory, 'appliance.lock.json'), 'utf8'))
  const locked = lock.deb[0].packages
  const seconds = { ours: [], apt: [], aptly: [] }
  for (let round = 0; round < 3; round++) {
    rmSync(join(directory, 'build'), { recursive: true })
    seconds.ours.push(appliance(directory, 'mirror-deps').seconds)
    const began = performance.now()
    aptUpdate(at('apt'), url)
    apt(at('apt'), ['install', '-q', '-y', '--download-only', '?essential', ...packages])
    seconds.apt.push((performance.now() - began) / 1000)
    if (hasProgram('aptly')) {
      const start = performance.now()
      aptly(at('aptly'), url, locked)
      seconds.aptly.push((performance.now() - start) / 1000)
    }
  }
  const bytes = sizeOf(locked)
  const row = (name, list) =>
    list.length === 0
      ? [name, 'not here', '']
      : [name, median(list).toFixed(1), (bytes / 1e6 / median(list)).toFixed(0)]
  table([
    [`${locked.length} packages, ${(bytes / 1e6).toFixed(0)} MB`, 'seconds', 'MB/s'],
    row('mirror-deps (verified, as repositories)', seconds.ours),
    row('apt-get install --download-only', seconds.apt),
    row('aptly mirror create, update', seconds.aptly),
    ['appliance lock, for once', locking.toFixed(1), ''],
  ])
  const best = Math.min(
    ...Object.values({ ...seconds, ours: [] })
      .filter((list) => list.length > 0)
      .map(median),
  )
  ratios.push(best / median(seconds.ours))
  figure('mirror.first-fetch-vs-apt', median(seconds.apt) / median(seconds.ours), 'x', 'none')
  if (seconds.aptly.length > 0)
    figure('mirror.first-fetch-vs-aptly', median(seconds.aptly) / median(seconds.ours), 'x', 'none')
}

/** Fetches anew what a lock names of one kind; the build tools, and the roots they run in, are there, as the peers' are. */
function refetch(directory, digests) {
  const mirror = join(directory, 'build/mirror-deps')
  for (const digest of digests)
    rmSync(join(mirror, 'store/sha256', digest.slice(0, 2), digest), { force: true })
  return appliance(directory, 'mirror-deps').seconds
}

/** Three rounds of ours and a peer's, by turns. */
function sideBySide(what, bytes, ours, peer, theirs) {
  const seconds = { ours: [], peer: [] }
  for (let round = 0; round < 3; round++) {
    seconds.ours.push(ours())
    seconds.peer.push(theirs())
  }
  const row = (name, list) => [name, median(list).toFixed(1), (bytes / 1e6 / median(list)).toFixed(0)]
  table([
    [`${what}, ${(bytes / 1e6).toFixed(0)} MB`, 'seconds', 'MB/s'],
    row('mirror-deps (verified, as a repository)', seconds.ours),
    row(peer, seconds.peer),
  ])
  const ratio = median(seconds.peer) / median(seconds.ours)
  ratios.push(ratio)
  return ratio
}

const lockOf = (directory) => JSON.parse(readFileSync(join(directory, 'appliance.lock.json'), 'utf8'))
const sizeOf = (artefacts) => artefacts.reduce((sum, { size }) => sum + size, 0)

async function rubyGems() {
  const copy = '/var/tmp/appliance-bench-gems'
  // Resolved for bookworm's Ruby, so that Bundler here, with the same or a newer one, takes the same gems.
  const ruby = debs(await debian(), ['ruby', 'ruby-bundler'])
  const mirror = (source) =>
    `${ruby}  gem:\n    - { name: bench, gems: ${JSON.stringify(gems)}, platforms: [ruby]${source} }\n`
  copyOfGems(copy, () => {
    const directory = project('gems-of-upstream', mirror(''))
    appliance(directory, 'mirror-deps')
    return join(directory, 'build/mirror-deps/tree/gem/bench')
  })
  const url = await serve(copy)
  const directory = project('gems', mirror(`, source: '${url}/'`))
  appliance(directory, 'mirror-deps')
  const locked = lockOf(directory).gem[0].gems
  bundleLock(at('bundle'), url)
  const ratio = sideBySide(
    `${locked.length} gems`,
    sizeOf(locked),
    () =>
      refetch(
        directory,
        locked.map(({ sha256 }) => sha256),
      ),
    'bundle cache --no-install',
    () => bundleCache(at('bundle')),
  )
  figure('mirror.first-fetch-vs-bundle', ratio, 'x', 'none')
}

async function rpms() {
  const repository = '/var/tmp/appliance-bench-rpms'
  repositoryOfRpms(repository)
  const url = await serve(repository)
  const directory = project(
    'rpms',
    `  rpm:\n    - { name: bench, baseurl: '${url}', gpgkey: '${repository}/RPM-GPG-KEY-bench', releasever: "9", packages: [${top}] }\n`,
  )
  appliance(directory, 'mirror-deps')
  const locked = lockOf(directory).rpm[0].packages
  const ratio = sideBySide(
    `${locked.length} RPMs`,
    sizeOf(locked),
    () =>
      refetch(
        directory,
        locked.map(({ sha256 }) => sha256),
      ),
    'dnf download --resolve',
    () => dnfDownload(at('dnf'), url),
  )
  figure('mirror.first-fetch-vs-dnf', ratio, 'x', 'none')
}

/** Ten thousand small files, the first time and the second. */
async function many() {
  const url = await serve(at('many'))
  const names = Array.from({ length: 10_000 }, (_, index) => `f${index}`)
  for (const name of names) writeFileSync(at('many', name), `${name} `.repeat(300))
  const directory = project(
    'ten-thousand',
    `  file:\n${names.map((name) => `    - url: ${url}/${name}\n`).join('')}`,
  )
  const lock = appliance(directory, 'lock').seconds
  rmSync(join(directory, 'build'), { recursive: true })
  const first = appliance(directory, 'mirror-deps').seconds
  const second = [1, 2, 3].map(() => appliance(directory, 'mirror-deps').seconds)
  table([
    ['10,000 artefacts', 'seconds'],
    ['lock', lock.toFixed(1)],
    ['first run', first.toFixed(1)],
    ['second run', median(second).toFixed(2)],
  ])
  figure('mirror.second-run', median(second), 's', '≤ 2')
}

/** The same files by curl, and then what `mirror-deps` does on the way: are they right? */
function curlVerified(url) {
  const names = ['netinst.iso', ...Array.from({ length: 8 }, (_, index) => `part${index}`)]
  mkdirSync(at('curl'))
  writeFileSync(
    at('curl.conf'),
    names.map((name) => `url = "${url}/${name}"\noutput = "${at('curl', name)}"\n`).join(''),
  )
  const sums = names.map((name) => timed('sha256sum', [name], { cwd: at('large') }).stdout)
  writeFileSync(at('curl', 'SHA256SUMS'), sums.join(''))
  const options = ['-sSf', '--parallel', '--parallel-max', '8', '-K', at('curl.conf')]
  const fetched = timed('curl', options, { stdio: ['ignore', 'ignore', 'ignore'] }).seconds
  const checked = timed('sha256sum', ['--quiet', '-c', 'SHA256SUMS'], { cwd: at('curl') }).seconds
  rmSync(at('curl'), { recursive: true })
  return fetched + checked
}

/** A mirror with an ISO image of 4 GB in it: fetched, proved, archived, and taken from the archive. */
async function large() {
  const url = await serve(at('large'))
  const fill = (name, megabytes) =>
    timed('sh', ['-c', `head -c ${megabytes}M /dev/urandom >"${at('large', name)}"`])
  fill('netinst.iso', 4096)
  for (let index = 0; index < 8; index++) fill(`part${index}`, 256)
  const files = Array.from({ length: 8 }, (_, index) => `    - url: ${url}/part${index}\n`).join('')
  const directory = project('iso', `  iso:\n    - url: ${url}/netinst.iso\n  file:\n${files}`)
  appliance(directory, 'lock')
  rmSync(join(directory, 'build'), { recursive: true })
  const rows = []
  const peaks = []
  const ours = []
  const figures = []
  const measured = (name, ...args) => {
    const { seconds } = appliance(directory, 'mirror-deps', ...args)
    ours.push(seconds)
    peaks.push(peak(directory))
    rows.push([name, seconds.toFixed(1), (6442 / seconds).toFixed(0), (peak(directory) / 1e6).toFixed(0)])
  }
  measured('first fetch')
  const curl = curlVerified(url)
  rows.push(['curl --parallel, sha256sum', curl.toFixed(1), (6442 / curl).toFixed(0), ''])
  ratios.push(curl / ours[0])
  figures.push(['mirror.first-fetch-vs-curl', curl / ours[0], 'x', 'none'])
  measured('again, with --archive', '--force', '--archive', at('mirror.tar.zst'))
  const store = join(directory, 'build/mirror-deps/store')
  const looks = [1, 2, 3].map(() =>
    JSON.parse(timed(process.execPath, ['script/bench.d/mirror-once.js', store]).stdout),
  )
  const proof = appliance(directory, 'mirror-deps', '--verify').seconds
  rmSync(join(directory, 'build'), { recursive: true })
  measured('from the archive alone', '--from-archive', at('mirror.tar.zst'))
  const seconds = median(looks.map(({ milliseconds }) => milliseconds / 1000))
  const [{ bytes }] = looks
  table([
    ['6.4 GB, an ISO of 4.3 GB among them', 'seconds', 'MB/s', 'peak MB'],
    ...rows,
    ['every byte against the lock', seconds.toFixed(1), (bytes / 1e6 / seconds).toFixed(0), ''],
    ['mirror-deps --verify', proof.toFixed(1), (bytes / 1e6 / proof).toFixed(0), ''],
  ])
  for (const one of figures) figure(...one)
  figure('mirror.verify', bytes / 1e9 / seconds, 'GB/s', '≥ 1')
  figure('mirror.peak-rss', Math.max(...peaks) / 1e6, 'MB', '≤ 200')
}

// Also where `timed` ends it all because a program failed.
process.on('exit', () => {
  for (const server of servers) server.kill()
  rmSync(folder, { recursive: true, force: true })
})
timed('node_modules/.bin/tsc', ['-p', 'tsconfig.bundle.json'])
const wanted = process.argv.slice(2)
for (const part of [firstFetch, rubyGems, rpms, many, large])
  if (wanted.length === 0 || wanted.includes(part.name)) await part()
if (ratios.length > 0) figure('mirror.first-fetch-vs-best', Math.min(...ratios), 'x', '≥ 1')
process.exit()
