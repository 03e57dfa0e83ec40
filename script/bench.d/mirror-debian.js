import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { timed } from './figures.js'

/** What the first fetch is measured with: some four hundred real packages. */
export const packages = [
  'postgresql',
  'nginx-light',
  'ruby',
  'ruby-bundler',
  'build-essential',
  'python3',
  'git',
  'vim',
]

const suite = 'bookworm'
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'

/** A part of Debian: real indexes and signatures, and the packages above with all they need. Kept for the next time. */
export function copyOfDebian(folder, url) {
  const upstream = 'https://deb.debian.org/debian'
  const release = `dists/${suite}`
  if (!existsSync(join(folder, release, 'InRelease'))) {
    for (const name of ['Release', 'Release.gpg']) fetch([`${release}/${name}`])
    for (const extension of ['xz', 'gz']) {
      const index = `main/binary-amd64/Packages.${extension}`
      fetch([`${release}/${index}`])
      const sums = readFileSync(join(folder, release, 'Release'), 'utf8').split('SHA256:\n')[1]
      const [, digest] = new RegExp(`^ ([0-9a-f]{64}) +\\d+ ${index}$`, 'm').exec(sums)
      const hashed = join(folder, release, 'main/binary-amd64/by-hash/SHA256', digest)
      mkdirSync(dirname(hashed), { recursive: true })
      timed('ln', ['-f', join(folder, release, index), hashed])
    }
    fetch([`${release}/InRelease`])
  }
  const root = join(folder, 'solve')
  aptUpdate(root, url)
  const printed = apt(root, ['install', '-q', '-y', '--print-uris', '?essential', ...packages])
  const paths = [...printed.matchAll(/^'http:\/\/[^/]+\/([^']+)' \S+ (\d+)/gm)].map(([, path]) =>
    decodeURIComponent(path),
  )
  fetch(paths.filter((path) => !existsSync(join(folder, path))))
  rmSync(root, { recursive: true })

  function fetch(missing) {
    if (missing.length === 0) return
    const config = missing.map(
      (path) => `url = "${upstream}/${encodeURI(path)}"\noutput = "${join(folder, path)}"\n`,
    )
    writeFileSync(join(folder, 'curl.conf'), config.join(''))
    const options = [
      '-sSf',
      '--retry',
      '5',
      '--create-dirs',
      '--parallel',
      '--parallel-max',
      '6',
      '--no-progress-meter',
    ]
    timed('curl', [...options, '-K', join(folder, 'curl.conf')])
  }
}

/** An empty root for apt. */
export function aptUpdate(root, url) {
  rmSync(root, { recursive: true, force: true })
  for (const path of [
    'etc/none.d',
    'etc/preferences.d',
    'state/lists/partial',
    'cache/archives/partial',
    'log',
  ])
    mkdirSync(join(root, path), { recursive: true })
  writeFileSync(join(root, 'state/status'), '')
  writeFileSync(
    join(root, 'etc/sources.list'),
    `deb [arch=amd64 signed-by=${keyring}] ${url} ${suite} main\n`,
  )
  writeFileSync(
    join(root, 'apt.conf'),
    `Dir "${root}/"; Dir::Etc "etc/"; Dir::Etc::sourceparts "none.d/"; Dir::Etc::parts "none.d/";
Dir::Etc::main "none.conf"; Dir::State "state/"; Dir::State::status "${root}/state/status"; Dir::Cache "cache/";
Dir::Log "log/"; APT::Architecture "amd64"; APT::Architectures { "amd64"; }; APT::Install-Recommends "false";
APT::Sandbox::User "root"; Acquire::Languages "none";
`,
  )
  apt(root, ['update', '-qq', '--error-on=any'])
}

export function apt(root, args) {
  const env = { ...process.env, APT_CONFIG: join(root, 'apt.conf'), DEBIAN_FRONTEND: 'noninteractive' }
  return timed('apt-get', args, { env }).stdout
}

/** What somebody would mirror with aptly: the same packages, by name and version. */
export function aptly(root, url, debs) {
  rmSync(root, { recursive: true, force: true })
  mkdirSync(root, { recursive: true })
  const config = join(root, 'aptly.conf')
  writeFileSync(config, JSON.stringify({ rootDir: root, downloadConcurrency: 8, gpgProvider: 'gpg' }))
  const filter = debs.map(({ name, version }) => `${name} (= ${version})`).join(' | ')
  const create = ['mirror', 'create', `-keyring=${keyring}`, '-architectures=amd64', `-filter=${filter}`]
  timed('aptly', [`-config=${config}`, ...create, 'm', url, suite, 'main'])
  timed('aptly', [`-config=${config}`, 'mirror', 'update', `-keyring=${keyring}`, 'm'])
}
